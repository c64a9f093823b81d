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

#: An engine that was built before: its batches are in the bindings, and `Batch: 1` says nothing.
TRT_ENGINE = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v8205] # trtexec --loadEngine=/models/StarGAN_fp16_bs10.trt
[09/01/2025-18:06:59] [I] === Model Options ===
[09/01/2025-18:06:59] [I] Format: *
[09/01/2025-18:06:59] [I] === Build Options ===
[09/01/2025-18:06:59] [I] Max batch: 1
[09/01/2025-18:06:59] [I] Precision: FP32
[09/01/2025-18:06:59] [I] === Inference Options ===
[09/01/2025-18:06:59] [I] Batch: 1
[09/01/2025-18:06:59] [I] Input inference shapes: model
[09/01/2025-18:06:59] [I] Streams: 1
[09/01/2025-18:06:59] [I] ExposeDMA: Disabled
[09/01/2025-18:06:59] [I] Data transfers: Enabled
[09/01/2025-18:06:59] [I] Spin-wait: Disabled
[09/01/2025-18:06:59] [I] CUDA Graph: Disabled
[09/01/2025-18:06:59] [I] === Device Information ===
[09/01/2025-18:06:59] [I] Selected Device: Tesla T4
[09/01/2025-18:06:59] [I] TensorRT version: 8.2.5
[09/01/2025-18:07:00] [W] [TRT] TensorRT was linked against cuDNN 8.2.1 but loaded cuDNN 8.1.1
[09/01/2025-18:07:00] [I] Created input binding for real_img with dimensions 10x3x128x128
[09/01/2025-18:07:00] [I] Created input binding for attr with dimensions 10x5
[09/01/2025-18:07:00] [I] Created output binding for fake_img with dimensions 10x3x128x128
[09/01/2025-18:07:04] [I] Warmup completed 6 queries over 200 ms
[09/01/2025-18:07:04] [I] Timing trace has 126 queries over 3.07 s
[09/01/2025-18:07:04] [I] Trace averages of 10 runs:
[09/01/2025-18:07:04] [I] Average on 10 runs - GPU latency: 23.6 ms - Host latency: 34.5 ms (end to end 47.4 ms, enqueue 0.75 ms)
[09/01/2025-18:07:04] [I] === Performance summary ===
[09/01/2025-18:07:04] [I] Throughput: 41 qps
[09/01/2025-18:07:04] [I] Latency: min = 31.7 ms, max = 36.7 ms, mean = 34.6 ms, median = 34.6 ms, percentile(99%) = 36.0 ms
[09/01/2025-18:07:04] [I] End-to-End Host Latency: min = 31.8 ms, max = 51.0 ms, mean = 47.4 ms, median = 47.5 ms, percentile(99%) = 50.3 ms
[09/01/2025-18:07:04] [I] Enqueue Time: min = 0.58 ms, max = 1.29 ms, mean = 0.73 ms, median = 0.7 ms, percentile(99%) = 1.2 ms
[09/01/2025-18:07:04] [I] H2D Latency: min = 6.76 ms, max = 6.83 ms, mean = 6.77 ms, median = 6.76 ms, percentile(99%) = 6.82 ms
[09/01/2025-18:07:04] [I] GPU Compute Time: min = 20.9 ms, max = 25.8 ms, mean = 23.8 ms, median = 23.7 ms, percentile(99%) = 25.2 ms
[09/01/2025-18:07:04] [I] D2H Latency: min = 4.03 ms, max = 4.19 ms, mean = 4.04 ms, median = 4.04 ms, percentile(99%) = 4.1 ms
[09/01/2025-18:07:04] [I] Total Host Walltime: 3.07 s
[09/01/2025-18:07:04] [I] Total GPU Compute Time: 2.99 s
&&&& PASSED TensorRT.trtexec [TensorRT v8205] # trtexec --loadEngine=/models/StarGAN_fp16_bs10.trt
"""

#: A network without batches of its own: queries and throughput count images.
TRT_IMPLICIT = """\
&&&& RUNNING TensorRT.trtexec # /usr/src/tensorrt/bin/trtexec --avgRuns=3 --deploy=models/resnet-50.prototxt --int8 --batch=4 --useSpinWait
[01/12/2021-17:36:31] [I] Precision: FP32+INT8
[01/12/2021-17:36:31] [I] Batch: 4
[01/12/2021-17:36:31] [I] Input inference shapes: model
[01/12/2021-17:36:31] [I] Streams: 1
[01/12/2021-17:36:31] [I] Spin-wait: Enabled
[01/12/2021-17:36:35] [01/12/2021-17:36:35] [01/12/2021-17:36:42] [I] [TRT] Some tactics do not have sufficient workspace memory to run.
[01/12/2021-17:37:13] [I] Timing trace has 68 queries over 3.39 s
[01/12/2021-17:37:13] [I] Average on 3 runs - GPU latency: 199.3 ms - Host latency: 199.6 ms (end to end 199.6 ms, enqueue 5.11 ms)
[01/12/2021-17:37:13] [I] Host Latency
[01/12/2021-17:37:13] [I] mean: 199.9 ms (end to end 199.9 ms)
[01/12/2021-17:37:13] [I] throughput: 20.01 qps
[01/12/2021-17:37:13] [01/12/2021-17:37:13] [I] GPU Compute
[01/12/2021-17:37:13] [I] min: 199.02 ms
[01/12/2021-17:37:13] [I] mean: 199.649 ms
[01/12/2021-17:37:13] [I] percentile: 201.9 ms at 99%
[01/12/2021-17:37:13] [I] total compute time: 3.394 s
median: 3 ms, says another program
&&&& PASSED TensorRT.trtexec # /usr/src/tensorrt/bin/trtexec --avgRuns=3 --deploy=models/resnet-50.prototxt --int8 --batch=4 --useSpinWait
"""

#: With --debug, and the command that somebody pasted.
MSAME_DEBUG = """\
$ ./msame --model ./StarGAN_bs4.om --input bin/img,bin/attr --output out --outfmt TXT --debug true
[INFO] acl init success
[INFO] open device 0 success
[INFO] load model ./StarGAN_bs4.om success
[DEBUG] NumInputs: 2
[DEBUG] the size of 0 input: 786432
[DEBUG] the dims of 0 input:
4 3 128 128 \n[DEBUG] the name of 0 input: real_img
[DEBUG] the dims of 1 input:
4 5 \n[DEBUG] the name of 1 input: attr
[DEBUG] the dims of 0 output:
4 3 128 128 \n[DEBUG] the name of 0 output: fake_img
Inference time: 80.5ms
Inference average time : 80.50 ms
[INFO] Execute sample success
"""

#: The failed execution was timed, too.
MSAME_EXECUTE_FAILED = """\
[INFO] load model ./StarGAN_bs4.om success
[INFO] start to process file:./bin/img/0.bin
[INFO] model execute success
Inference time: 80.5ms
[INFO] start to process file:./bin/img/1.bin
[ERROR] execute model failed, modelId is 1
Inference time: 0.213ms
[ERROR] model execute failed
[ERROR] Sample process failed
[INFO] end to destroy stream
"""

#: Of ais_infer.py, whose throughput line does not tell the batch size.
AIS_OLDEST = """\
root@host:~# python3.7.5 ais_infer.py --model /home/me/StarGAN_bs16.om --batchsize 16 --loop 100
[INFO] load model /home/me/StarGAN_bs16.om success
[INFO] H2D_latency (ms): min = 0.238, max = 0.238, mean = 0.238, median = 0.238, percentile(99%) = 0.238
[INFO] NPU_compute_time (ms): min = 310.5, max = 330.5, mean = 320.0, median = 319.0, percentile(99%) = 330.0
[INFO] throughput (1000*batchsize/NPU_compute_time): 50.0
"""

#: Two devices at once; their lines mix.
AIS_DEVICES = """\
[INFO] multidevice:[0, 1] run begin
[INFO] subprocess_0 main run
[INFO] open device 0 success
[INFO] open device 1 success
[INFO] load model StarGAN_bs4.om success
[INFO] try get model batchsize:4
Inference array Processing:   7%|#         | 87/1250 [00:00<00:12, 95.71it/s][INFO] subprocess_0 qsize:2 ready to infer run
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): min = 2.4, max = 3.5, mean = 2.5, median = 2.6, percentile(99%) = 3.1
[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(2.5): 1600.0
[INFO] ------------------------------------------------------
[INFO] unload model success, model Id is 1
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): min = 2.3, max = 3.6, mean = 2.7, median = 2.6, percentile(99%) = 3.2
[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(2.7): 1481.48
[INFO] ------------------------------------------------------
[INFO] multidevice run end qsize:4 result:0
[INFO] i:1 device_1 throughput:1600.0                 start_time:1752744657.0 end_time:1752744671.0
[INFO] i:0 device_0 throughput:1481.48                 start_time:1752744657.2 end_time:1752744671.2
[INFO] summary throughput:3081.48
"""
