"""The built-in voices: the segmentation model inside the whisperx wheel, the voice encoder inside resemblyzer's."""

import importlib
import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.domain.grouping import Groups, Limits, group_voices
from asr.domain.voices import Floats, Voices

NAME = "builtin"
# Found on recordings of meetings: average linkage at this cosine distance, groups of at least six windows.
GROUPING: dict[str, Any] = {
    "onset": 0.5,
    "method": "average",
    "threshold": 0.25,
    "smallest_group": 6,
    "shortest_pause_seconds": 0.1,
}
_SEGMENTATION = ("whisperx", "assets/pytorch_model.bin")
_ENCODER = ("resemblyzer", "pretrained.pt")
_RATE = 16_000
_STEP_SHARE = 0.1
# The encoder's own: mel spectra 10 ms apart, in pieces of 1.6 s that begin 0.4 s apart, at -30 dBFS or louder.
_MEL = {"n_fft": 400, "hop_length": 160, "n_mels": 40, "norm": "slaney", "mel_scale": "slaney", "pad_mode": "constant"}
_PIECE, _PIECE_STEP = 160, 40
_LOUDNESS_DBFS = -30.0
_LEAST_SAMPLES = 400
_PIECE_SAMPLES = _PIECE * 160


def is_installed() -> bool:
    """Whether torch and both wheels are there; nothing of them is imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "pyannote", "whisperx", "resemblyzer"))


def _file(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / path


class BuiltinVoices:
    """Loads both models; needs torch."""

    by: str = NAME
    rate: int = _RATE
    clean_only: bool = True
    grouping = GROUPING

    def __init__(self, device: str) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._device: Any = self._torch.device(device)
        self._load_segmentation()
        self._load_encoder()

    def _load_segmentation(self) -> None:
        model: Any = importlib.import_module("pyannote.audio").Model
        self._segmentation: Any = model.from_pretrained(_file(*_SEGMENTATION)).eval().to(self._device)
        self.window_seconds = float(self._segmentation.specifications.duration)
        self.step_seconds = self.window_seconds * _STEP_SHARE
        self.frame_seconds = float(self._segmentation.receptive_field.step)
        self.frame_length_seconds = float(self._segmentation.receptive_field.duration)

    def _load_encoder(self) -> None:
        transforms: Any = importlib.import_module("torchaudio.transforms")
        self._mel: Any = transforms.MelSpectrogram(_RATE, power=2.0, **_MEL).to(self._device)
        self._lstm: Any = self._torch.nn.LSTM(40, 256, 3, batch_first=True).to(self._device).eval()
        self._linear: Any = self._torch.nn.Linear(256, 256).to(self._device).eval()
        weights: Any = self._torch.load(_file(*_ENCODER), map_location=self._device, weights_only=True)["model_state"]
        for name, module in (("lstm", self._lstm), ("linear", self._linear)):
            own = {k.removeprefix(f"{name}."): v for k, v in weights.items() if k.startswith(f"{name}.")}
            module.load_state_dict(own)

    def scores(self, windows: Floats) -> Floats:
        with self._torch.inference_mode():
            found: Any = self._segmentation(self._torch.from_numpy(windows)[:, None].to(self._device))
        return found.cpu().numpy()

    def least_frames(self, frames: int) -> int:
        return math.ceil(frames * _LEAST_SAMPLES / (self.window_seconds * _RATE))

    def prints(self, windows: Floats, masks: NDArray[np.bool_]) -> Floats:
        found = np.full((len(windows), 256), np.nan, dtype=np.float32)
        with self._torch.inference_mode():
            chosen = [self._pieces(w[_of_samples(m, len(w))]) for w, m in zip(windows, masks, strict=True)]
            pieces: dict[int, Any] = {at: piece for at, piece in enumerate(chosen) if piece is not None}
            if not pieces:
                return found
            _, (hidden, _) = self._lstm(self._torch.cat(list(pieces.values())))
            parts: Any = self._normal(self._torch.relu(self._linear(hidden[-1])))
            means = parts.split([len(piece) for piece in pieces.values()])
            for at, mean in zip(pieces, means, strict=True):
                found[at] = self._normal(mean.mean(0, keepdim=True))[0].cpu().numpy()
        return found

    def groups(self, voices: Voices, limits: Limits) -> Groups:
        return group_voices(voices, limits)

    def _normal(self, rows: Any) -> Any:
        return self._torch.nn.functional.normalize(rows, dim=1)

    def _pieces(self, samples: Floats) -> Any:
        """Shape (pieces, 160, 40); None for less than one mel spectrum."""
        if len(samples) < _LEAST_SAMPLES:
            return None
        loudness = 20 * math.log10(math.sqrt(float(np.mean(samples**2))) + 1e-9)
        samples = samples * max(1.0, 10 ** ((_LOUDNESS_DBFS - loudness) / 20))
        if len(samples) < _PIECE_SAMPLES:
            samples = np.resize(samples, _PIECE_SAMPLES)  # said again until it is long enough
        mel: Any = self._mel(self._torch.from_numpy(samples.astype(np.float32)).to(self._device)).T
        return mel.unfold(0, _PIECE, _PIECE_STEP).transpose(1, 2)


def _of_samples(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    return mask[np.arange(count) * len(mask) // count]
