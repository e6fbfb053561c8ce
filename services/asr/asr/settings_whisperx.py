"""What an operator can set for the WhisperX engine."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class WhisperXSettings(BaseSettings):
    """Variables begin with ``ASR_WHISPERX_``; they matter where the extra ``whisperx`` is installed."""

    whisperx_model: str = Field(
        default="large-v3",
        description="Whisper model: a name known to faster-whisper, a name on the hub, or a directory (CTranslate2)",
    )
    whisperx_model_dir: Path | None = Field(
        default=None, description="Directory where weights are kept; empty: where the hub's own tools keep them"
    )
    whisperx_device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto (a GPU when there is one), cpu or cuda"
    )
    whisperx_device_index: int = Field(default=0, ge=0, description="Which GPU, counted from 0")
    whisperx_compute_type: str = Field(
        default="auto", description="float16, int8_float16, int8, float32 …; auto: float16 on a GPU, int8 on a CPU"
    )
    whisperx_threads: int = Field(default=0, ge=0, le=256, description="Threads of a CPU; 0: one for each processor")
    whisperx_batch_size: int = Field(
        default=0, ge=0, le=256, description="Most windows recognised at once; 0: 16 on a GPU, 4 on a CPU"
    )
    whisperx_beam_size: int = Field(default=5, ge=1, le=50, description="Beams of the search")
    whisperx_temperature: float = Field(
        default=0.0, ge=0, le=1, description="0 takes the likeliest words; above it sampling takes the beams' place"
    )
    whisperx_window_seconds: float = Field(
        default=30.0, ge=1, le=30, description="Utterances are put together to windows of this length, in seconds"
    )
    whisperx_vad: Literal["silero", "pyannote", "none"] = Field(
        default="silero",
        description="Second opinion on each window: one in which it hears no speech gives no words; none: not asked",
    )
    whisperx_code_switching: bool = Field(
        default=False, description="True: the language is found for each window, not once for a recording"
    )
    whisperx_initial_prompt: str = Field(
        default="", max_length=2000, description="Text in the style that transcripts shall have, before key terms"
    )
    whisperx_align: bool = Field(default=True, description="False: word times by Whisper itself, less exact")
    whisperx_align_models: str = Field(
        default="",
        description="language=name or directory of a wav2vec2 model, comma separated; else WhisperX's own choice",
    )
