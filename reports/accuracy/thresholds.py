"""How far outputs may be from the fp32 reference, for every precision that an engine executes."""

from __future__ import annotations

from dataclasses import dataclass

from reports.accuracy.metrics import Differences
from reports.records import PrecisionName


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits of a pass; `max_abs` is relative to the reference's range, which is 2 for pictures. SSIM is theirs only.

    The range of other outputs is their max - min.
    """

    cosine: float
    psnr_db: float
    max_abs: float
    ssim: float

    def __str__(self) -> str:
        return f"cosine >= {self.cosine}, PSNR >= {self.psnr_db:g} dB, max abs <= {self.max_abs:g} of the range"

    def of_pictures(self) -> str:
        """In words, for pictures."""
        return f"{self}, SSIM >= {self.ssim}, for every image"

    def problems(self, found: Differences) -> list[str]:
        """What is not within the limits, in words; nothing for a pass."""
        # `not >=`, so that what is not even a number is a problem.
        problems = []
        if not found.cosine >= self.cosine:
            problems.append(f"cosine {found.cosine:.6f} < {self.cosine}")
        if not found.psnr_db >= self.psnr_db:
            problems.append(f"PSNR {found.psnr_db:.1f} dB < {self.psnr_db:g} dB")
        if not found.max_abs <= self.max_abs * found.span:
            problems.append(f"max abs {found.max_abs:.3g} > {self.max_abs * found.span:.3g}")
        if found.ssim is not None and not found.ssim >= self.ssim:
            problems.append(f"SSIM {found.ssim:.4f} < {self.ssim}")
        return problems

    def spent(self, found: Differences) -> float:
        """How much of what is allowed is used up by the metric that uses most: above 1 is wrong. Orders images."""
        if found.max_abs == 0:
            return 0.0
        shares = [
            (1 - found.cosine) / (1 - self.cosine),
            float(10 ** ((self.psnr_db - found.psnr_db) / 20)),
            found.max_abs / (self.max_abs * found.span),
        ]
        if found.ssim is not None:
            shares.append((1 - found.ssim) / (1 - self.ssim))
        return max(shares)


#: Every image of an output must hold these. What StarGAN's generator gave (seeded weights, bundled pictures, the worst
#: of five images against fp32 on the CPU; fp16 and bf16 by PyTorch on the CPU, tf32 and int8 emulated by rounding the
#: operands of all convolutions; not measured on an accelerator):
#:
#: | precision | PSNR | 1 - SSIM | 1 - cosine | max abs / 2 |
#: |:--|--:|--:|--:|--:|
#: | fp32, another kernel | 122 dB | 4e-11 | 1e-11 | 6e-6 |
#: | tf32 | 68 dB | 1e-5 | 3e-6 | 3e-3 |
#: | fp16 | 64 dB | 3e-5 | 8e-6 | 3e-3 |
#: | bf16 | 46 dB | 2e-3 | 5e-4 | 3e-2 |
#: | int8 | 34 dB | 2e-2 | 7e-3 | 1e-1 |
#:
#: PSNR leaves them 52 dB (fp32: engines differ by the order of additions, and 400 times that still is caught), 24 to
#: 28 dB (tf32, fp16), 16 dB (bf16) and 9 dB (int8). SSIM is there for what PSNR forgives: lost
#: structure. It is strictest where a picture is flat: noise of variance v costs it v / (v + 0.0036) there (0.0036 =
#: (0.03·range)², its constant C2), so 70 dB cost 1e-4, 64 dB 5e-4, 46 dB 3e-2. Each SSIM limit lies beyond that worst
#: case up to bf16, and beyond ten times (int8: seven times) the loss that was measured.
THRESHOLDS: dict[PrecisionName, Threshold] = {
    "fp32": Threshold(cosine=0.99999, psnr_db=70, max_abs=1e-3, ssim=0.9995),
    "tf32": Threshold(cosine=0.9995, psnr_db=40, max_abs=5e-2, ssim=0.99),
    "fp16": Threshold(cosine=0.9995, psnr_db=40, max_abs=5e-2, ssim=0.99),
    "bf16": Threshold(cosine=0.995, psnr_db=30, max_abs=2e-1, ssim=0.95),
    "int8": Threshold(cosine=0.98, psnr_db=25, max_abs=4e-1, ssim=0.85),
}
