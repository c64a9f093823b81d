# ruff: noqa: E501 - logs have long lines
"""Logs as the tools print them, written after their documented formats; every figure is made up."""

from __future__ import annotations

MSAME_FOLDER = """\
[INFO] acl init success
[INFO] open device 0 success
[INFO] create context success
[INFO] create stream success
[INFO] get run mode success
[INFO] load model /home/user/StarGAN_bs16.om success
[INFO] create model description success
[INFO] start to process file:./bin/img/0.bin
[INFO] model execute success
Inference time: 320.5ms
[INFO] get max dynamic batch size success
[INFO] output data success
[INFO] start to process file:./bin/img/1.bin
[INFO] model execute success
Inference time: 310.25ms
[INFO] output data success
[INFO] start to process file:./bin/img/10.bin
[INFO] model execute success
Inference time: 312.05ms
[INFO] output data success
Inference average time : 314.27 ms
Inference average time without first time: 311.15 ms
[INFO] unload model success, model Id is 1
[INFO] Execute sample success.
[INFO] end to destroy stream
"""

MSAME_LOOP = """\
[INFO] acl init success
[INFO] open device 1 success
[INFO] load model resnet50.om success
loop 0
Inference time: 2.3ms
Inference time: 2.1ms
Inference average time: 2.200000 ms
Inference average time without first time: 2.100000 ms
[INFO] Execute sample success
"""

MSAME_GUIDE = "(310 bs1) Inference average time: 21.04 ms\n(310 bs1) FPS:190.114\n"

MSAME_FAILED = """\
[INFO] acl init success
[INFO] open device 0 success
[ERROR] load model from file failed, model file is StarGAN.om
[ERROR] Sample process failed
"""

AIS_TEXT = """\
[INFO] acl init success
[INFO] open device 0 success
[INFO] load model /models/StarGAN_bs16.om success
[INFO] warm up 1 done
Inference Processing: 100%|##########| 20/20 [00:06<00:00]
[INFO] -----------------Performance Summary------------------
[INFO] H2D_latency (ms): min = 0.4, max = 0.9, mean = 0.55, median = 0.5, percentile(99%) = 0.89
[INFO] NPU_compute_time (ms): min = 310.1, max = 320.5, mean = 313.0, median = 312.5, percentile(99%) = 320.1
[INFO] D2H_latency (ms): min = 0.1, max = 0.2, mean = 0.15, median = 0.15, percentile(99%) = 0.2
[INFO] throughput 1000*batchsize.mean(16)/NPU_compute_time.mean(313.0): 51.11821086261981
[INFO] ------------------------------------------------------
"""

AIS_OLD = """\
[INFO] NPU_compute_time (ms): min = 5.0, max = 6.0, mean = 5.5, median = 5.4, percentile(99%) = 5.9
[INFO] throughput 1000*batchsize(4)/NPU_compute_time.mean(5.5): 727.27
"""

AIS_JSON = """{
 "filesinfo": {"0": {"infiles": ["a.bin"], "outfiles": ["a_0.bin"]}},
 "NPU_compute_time": {"min": 310.0, "max": 320.0, "mean": 315.0, "median": 315.0, "percentile(99%)": 319.9, "count": 4},
 "H2D_latency": {"min": 0.1, "max": 0.2, "mean": 0.15, "median": 0.15, "percentile(99%)": 0.2, "count": 4},
 "throughput": 50.79365079365079,
 "npu_compute_time_list": [310.0, 320.0, 314.0, 316.0],
 "pid": 7, "args": {"model": "/models/StarGAN_bs16.om", "loop": 4}
}
"""

TRT_7 = """\
&&&& RUNNING TensorRT.trtexec # trtexec --onnx=StarGAN.onnx --shapes=real_img:1x3x128x128,attr:1x5
[11/10/2021-07:45:20] [I] === Model Options ===
[11/10/2021-07:45:20] [I] Format: ONNX
[11/10/2021-07:45:20] [I] Precision: FP32
[11/10/2021-07:45:20] [I] Streams: 1
[11/10/2021-07:45:57] [I] Host Latency
[11/10/2021-07:45:57] [I] min: 4.7 ms (end to end 8.9 ms)
[11/10/2021-07:45:57] [I] max: 8.3 ms (end to end 12.9 ms)
[11/10/2021-07:45:57] [I] mean: 5.44 ms (end to end 10.1 ms)
[11/10/2021-07:45:57] [I] median: 5.4 ms (end to end 10.0 ms)
[11/10/2021-07:45:57] [I] percentile: 7.1 ms at 99% (end to end 12.8 ms at 99%)
[11/10/2021-07:45:57] [I] throughput: 0 qps
[11/10/2021-07:45:57] [I] walltime: 3.01 s
[11/10/2021-07:45:57] [I] Enqueue Time
[11/10/2021-07:45:57] [I] min: 0.3 ms
[11/10/2021-07:45:57] [I] max: 0.9 ms
[11/10/2021-07:45:57] [I] median: 0.31 ms
[11/10/2021-07:45:57] [I] GPU Compute
[11/10/2021-07:45:57] [I] min: 4.5766 ms
[11/10/2021-07:45:57] [I] max: 8.12921 ms
[11/10/2021-07:45:57] [I] mean: 5.34373 ms
[11/10/2021-07:45:57] [I] median: 5.32825 ms
[11/10/2021-07:45:57] [I] percentile: 6.91772 ms at 99%
[11/10/2021-07:45:57] [I] total compute time: 2.93371 s
&&&& PASSED TensorRT.trtexec # trtexec --onnx=StarGAN.onnx --shapes=real_img:1x3x128x128,attr:1x5
"""

#: As the guide prints it: cut by hand, the rest replaced by dots.
TRT_GUIDE = "\n".join([TRT_7.splitlines()[0], "...", *TRT_7.splitlines()[-8:-1]]) + "\n"

TRT_8 = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # /usr/bin/trtexec --onnx=StarGAN.onnx --optShapes=real_img:8x3x128x128,attr:8x5 --fp16
[06/01/2023-10:00:00] [I] === Model Options ===
[06/01/2023-10:00:00] [I] Precision: FP32+FP16
[06/01/2023-10:00:00] [I] Data transfers: Enabled
[06/01/2023-10:00:00] [I] CUDA Graph: Disabled
[06/01/2023-10:00:00] [I] Inference Streams: 1
[06/01/2023-10:00:40] [W] * GPU compute time is unstable, with coefficient of variance = 3.1%.
[06/01/2023-10:00:40] [I] Timing trace has 840 queries over 3.01 s
[06/01/2023-10:00:40] [I] === Performance summary ===
[06/01/2023-10:00:40] [I] Throughput: 279.07 qps
[06/01/2023-10:00:40] [I] Latency: min = 3.7 ms, max = 4.9 ms, mean = 3.81 ms, median = 3.8 ms, percentile(90%) = 3.9 ms, percentile(95%) = 4 ms, percentile(99%) = 4.4 ms
[06/01/2023-10:00:40] [I] Enqueue Time: min = 0.2 ms, max = 0.9 ms, mean = 0.25 ms, median = 0.24 ms, percentile(90%) = 0.3 ms, percentile(95%) = 0.3 ms, percentile(99%) = 0.5 ms
[06/01/2023-10:00:40] [I] H2D Latency: min = 0.1 ms, max = 0.2 ms, mean = 0.11 ms, median = 0.11 ms, percentile(90%) = 0.12 ms, percentile(95%) = 0.13 ms, percentile(99%) = 0.15 ms
[06/01/2023-10:00:40] [I] GPU Compute Time: min = 3.5 ms, max = 4.7 ms, mean = 3.58 ms, median = 3.57 ms, percentile(90%) = 3.6 ms, percentile(95%) = 3.7 ms, percentile(99%) = 4.1 ms
[06/01/2023-10:00:40] [I] D2H Latency: min = 0.1 ms, max = 0.2 ms, mean = 0.12 ms, median = 0.12 ms, percentile(90%) = 0.12 ms, percentile(95%) = 0.13 ms, percentile(99%) = 0.15 ms
[06/01/2023-10:00:40] [I] Total Host Walltime: 3.01 s
[06/01/2023-10:00:40] [I] Total GPU Compute Time: 3.0072 s
[06/01/2023-10:00:40] [I]
&&&& PASSED TensorRT.trtexec [TensorRT v8601] # /usr/bin/trtexec --onnx=StarGAN.onnx --optShapes=real_img:8x3x128x128,attr:8x5 --fp16
"""

TRT_10 = (
    TRT_8.replace("[TensorRT v8601]", "[TensorRT v100900] [b34]").replace(" --fp16", " --noTF32 --useCudaGraph")
    .replace("[06/01/2023-10:00:00] [I] Precision: FP32+FP16\n", "")
    .replace("[06/01/2023-10:00:00] [I] CUDA Graph: Disabled\n", "")
)  # fmt: skip

TRT_11 = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v110100] [b12] # trtexec --onnx=StarGAN.onnx --shapes='real_img:4x3x128x128,attr:4x5'
[I] === Performance summary ===
[I] Throughput: 900.5 qps
[I] Latency: min = 1.0 ms, max = 1.2 ms, mean = 1.1 ms, median = 1.1 ms, percentile(99%) = 1.2 ms
[I] GPU Compute Time: min = 1.0 ms, max = 1.2 ms, mean = 1.1 ms, median = 1.1 ms, percentile(99%) = 1.2 ms
&&&& PASSED TensorRT.trtexec [TensorRT v110100] [b12] # trtexec --onnx=StarGAN.onnx --shapes='real_img:4x3x128x128,attr:4x5'
"""

TRT_FAILED = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=missing.onnx
[06/01/2023-10:00:00] [E] Could not open file missing.onnx
[06/01/2023-10:00:00] [E] Failed to parse onnx file
&&&& FAILED TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=missing.onnx
"""

TRT_TIMES_8 = """[
  { "startEnqMs" : 0.1, "endEnqMs" : 0.2, "startH2dMs" : 0.1, "endH2dMs" : 0.2, "startComputeMs" : 0.2,
    "endComputeMs" : 3.7, "startD2hMs" : 3.7, "endD2hMs" : 3.8, "h2dMs" : 0.1, "computeMs" : 3.5, "d2hMs" : 0.1,
    "latencyMs" : 3.7 },
  { "startEnqMs" : 3.1, "endEnqMs" : 3.2, "startH2dMs" : 3.1, "endH2dMs" : 3.2, "startComputeMs" : 3.9,
    "endComputeMs" : 7.6, "startD2hMs" : 7.6, "endD2hMs" : 7.7, "h2dMs" : 0.1, "computeMs" : 3.7, "d2hMs" : 0.1,
    "latencyMs" : 3.9 }
]
"""

TRT_TIMES_7 = '[{"startInMs": 0, "endInMs": 1, "inMs": 1, "computeMs": 5.5, "outMs": 1, "latencyMs": 7.5}]\n'
