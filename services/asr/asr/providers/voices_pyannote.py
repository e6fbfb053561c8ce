"""The voices of a pyannote pipeline: its own models and its own way of grouping, used part by part."""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.domain.grouping import NOBODY, Groups, Limits
from asr.domain.voices import OWN_GROUPING, Floats, Voices

_ACCEPT = (
    "Accept its conditions at https://hf.co/{name}, and those of the models it names, and set HF_TOKEN; "
    "or set ASR_DIARIZER_MODEL to a directory that holds it."
)


class ModelMissing(Exception):
    """The models cannot be had; trying again helps nothing before ``advice`` is taken."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class PyannoteVoices:
    """``name``: a pipeline on the hub, or a directory with its config.yaml. Raises ModelMissing."""

    def __init__(self, name: str, device: str) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._pipeline: Any = _load(name)
        self._pipeline.to(self._torch.device(device))
        segmentation = self._pipeline._segmentation
        self.by = f"pyannote {name}"
        self.rate = int(self._pipeline._audio.sample_rate)
        self.window_seconds = float(segmentation.duration)
        self.step_seconds = float(segmentation.step)
        self.frame_seconds = float(segmentation.model.receptive_field.step)
        self.frame_length_seconds = float(segmentation.model.receptive_field.duration)
        self.clean_only = bool(self._pipeline.embedding_exclude_overlap)
        self.grouping = _grouping(self._pipeline)

    def scores(self, windows: Floats) -> Floats:
        return self._pipeline._segmentation.infer(self._torch.from_numpy(windows)[:, None])

    def least_frames(self, frames: int) -> int:
        return math.ceil(frames * self._pipeline._embedding.min_num_samples / (self.window_seconds * self.rate))

    def prints(self, windows: Floats, masks: NDArray[np.bool_]) -> Floats:
        encoder = self._pipeline._embedding
        if not len(windows):
            return np.zeros((0, encoder.dimension), dtype=np.float32)
        sound = self._torch.from_numpy(windows)[:, None]
        return encoder(sound, masks=self._torch.from_numpy(masks.astype(np.float32)))

    def groups(self, voices: Voices, limits: Limits) -> Groups:
        """As ``asr.domain.grouping.group_voices``, by the pipeline's own clustering."""
        core: Any = importlib.import_module("pyannote.core")
        known = voices.known
        window = core.SlidingWindow(start=0.0, duration=self.window_seconds, step=self.step_seconds)
        number, least, most = self._pipeline.set_num_speakers(min_speakers=limits.least, max_speakers=limits.most)
        found, _, _ = self._pipeline.clustering(
            # Whatever stands for a voice that is not known, its group is thrown away below.
            embeddings=np.where(known[:, :, None], voices.prints, 1.0),
            segmentations=core.SlidingWindowFeature(voices.active.astype(np.float32), window),
            num_clusters=number,
            min_clusters=least,
            max_clusters=most,
        )
        return np.where(known & voices.speaks & (found >= 0), found, NOBODY).astype(np.int64)


def _load(name: str) -> Any:
    pipelines: Any = importlib.import_module("pyannote.audio").Pipeline
    try:
        pipeline: Any = pipelines.from_pretrained(Path(name) if Path(name).is_dir() else name)
    except Exception as error:
        if Path(name).is_absolute():
            advice = "Set ASR_DIARIZER_MODEL to a directory that holds the config.yaml of a pyannote pipeline."
        else:
            advice = _ACCEPT.format(name=name)
        reason = f"{type(error).__name__}: {error}"[:300]
        raise ModelMissing(f"The speaker model {name} cannot be loaded ({reason}).", advice) from error
    if pipeline is None:
        raise ModelMissing(f"The speaker model {name} is gated.", _ACCEPT.format(name=name))
    return pipeline


def _grouping(pipeline: Any) -> dict[str, Any]:
    values: dict[str, Any] = pipeline.parameters(instantiated=True)
    clusters: dict[str, Any] = values["clustering"] if pipeline.klustering == "AgglomerativeClustering" else {}
    return {
        "onset": float(values["segmentation"].get("threshold", 0.5)),
        "method": str(clusters.get("method", OWN_GROUPING)),
        "threshold": float(clusters.get("threshold", 0.0)),
        "smallest_group": int(clusters.get("min_cluster_size", 1)),
        "shortest_pause_seconds": float(values["segmentation"]["min_duration_off"]),
    }
