"""Models on disk in the exact formats of the real ones, made on the spot: nothing can be downloaded in tests.

The Whisper of ``make_whisper`` is not random: it is trained on a handful of windows until it says their sentences,
knows their language from a foreign one, and minds key terms. So a test sees whether sound, prompt and batch reached the
model. That of ``make_random_whisper`` knows nothing, says text of any length, and can be as large as the largest.
"""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ctranslate2.converters import TransformersConverter
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizerFast,
)

# The layout of ids of every multilingual Whisper before large-v3; CTranslate2 goes by it.
_TEXT_TOKENS = 50257
_LANGUAGES = 99
_VOCABULARY = 51865
_ALL_STEPS = 260
# Language, task, no timestamps, and the first words, of which some are the same.
_DECIDING = 8


@dataclass(frozen=True)
class Shape:
    """What a Whisper's speed depends on. ``languages``: as many as are in its vocabulary."""

    width: int
    layers: int  # of the encoder, and of the decoder
    heads: int
    mels: int
    languages: int


TINY = Shape(width=32, layers=1, heads=2, mels=80, languages=_LANGUAGES)
LARGE_V3 = Shape(width=1280, layers=32, heads=20, mels=128, languages=100)
# Made and used in every way like the large one.
TINY_V3 = replace(LARGE_V3, width=64, layers=1, heads=2)


@dataclass(frozen=True)
class Lesson:
    """What the model shall say to a sound of at most 30 s, in which language, after which key terms."""

    sound: np.ndarray
    text: str
    language: str = "en"
    key_terms: str = ""


def make_whisper(folder: Path, lessons: list[Lesson], steps: int = _ALL_STEPS) -> Path:
    """A Whisper of 2 million parameters, most of them vocabulary, in CTranslate2's format."""
    torch.manual_seed(0)
    # With the blank before it, as it is written after the prompt: a token " " of its own could not begin a text.
    tokens = _tokenizer([f" {lesson.text}" for lesson in lessons])
    ids = {name: tokens.token_to_id(name) for name in ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), ids["<|endoftext|>"])
    config = WhisperConfig(
        vocab_size=_VOCABULARY,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=128,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        **ends,
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        # As initialised, it hears its positions louder than the sound.
        model.model.encoder.conv1.weight *= 100
        model.model.encoder.conv2.weight *= 10
    _train(model, tokens, lessons, steps)
    return _save(model, tokens, folder, TINY)


def make_random_whisper(folder: Path, shape: Shape) -> Path:
    """A Whisper that says one text token after the other and never ends by itself, in CTranslate2's format.

    In half precision where it is large: 3 GB for large-v3, and as much again while it is converted.
    """
    torch.manual_seed(0)
    tokens = _tokenizer(["What a random model says means nothing."], shape.languages)
    end = tokens.token_to_id("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=_VOCABULARY - _LANGUAGES + shape.languages,
        d_model=shape.width,
        encoder_layers=shape.layers,
        decoder_layers=shape.layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        num_mel_bins=shape.mels,
        decoder_start_token_id=tokens.token_to_id("<|startoftranscript|>"),
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end),
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():
        # Neither the end nor a time is ever likelier than the likeliest of fifty thousand pieces of text.
        model.model.decoder.embed_tokens.weight[end:] = 0
    return _save(model, tokens, folder, shape)


def _save(model: Any, tokens: Tokenizer, folder: Path, shape: Shape) -> Path:
    """As the hub has it, then as CTranslate2 reads it; only the latter stays."""
    ids = {name: tokens.token_to_id(name) for name in ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")}
    languages = {f"<|{code}|>": tokens.token_to_id(f"<|{code}|>") for code in _LANGUAGE_CODES[: shape.languages]}
    model.generation_config = GenerationConfig(
        decoder_start_token_id=ids["<|startoftranscript|>"],
        max_length=448,
        suppress_tokens=[ids["<|startoftranscript|>"]],
        begin_suppress_tokens=[ids["<|endoftext|>"]],
        is_multilingual=True,
        lang_to_id=languages,
        task_to_id={task: tokens.token_to_id(f"<|{task}|>") for task in ("transcribe", "translate")},
        no_timestamps_token_id=ids["<|notimestamps|>"],
        alignment_heads=[[0, 0], [0, 1]],
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), ids["<|endoftext|>"]),
    )
    large = shape.width > TINY.width
    source = folder / "transformers"
    (model.half() if large else model).save_pretrained(source)
    _save_tokenizer(tokens, source, shape.languages)
    WhisperFeatureExtractor(feature_size=shape.mels).save_pretrained(source)
    files = ["tokenizer.json", "preprocessor_config.json"]
    converter = TransformersConverter(str(source), copy_files=files, load_as_float16=large, low_cpu_mem_usage=large)
    converter.convert(str(folder / "whisper"), quantization="float16" if large else None)
    shutil.rmtree(source)
    return folder / "whisper"


def _train(model: Any, tokens: Tokenizer, lessons: list[Lesson], steps: int) -> None:
    """The decoder alone: what a random encoder makes of a sound is enough to know it by."""
    extract = FeatureExtractor(feature_size=80)
    frames = [extract(lesson.sound)[..., :-1] for lesson in lessons]
    sounds = torch.tensor(np.stack([np.pad(f, ((0, 0), (0, 3000 - f.shape[1]))) for f in frames]), dtype=torch.float32)
    with torch.no_grad():
        encoded = model.model.encoder(sounds).last_hidden_state
    given, wanted = _lines(tokens, lessons)
    learner = torch.optim.AdamW(model.model.decoder.parameters(), lr=5e-3, weight_decay=0)
    rows, wanted = _rows(wanted)
    # The sound decides at the language and at the first word; what follows could be learned by heart.
    deciding = (wanted >= 0).cumsum(1) <= _DECIDING
    weights = torch.where(wanted < 0, 0.0, torch.where(deciding, 10.0, 1.0))[:, 1:].flatten()
    model.train()
    for _ in range(steps):
        hidden = model.model.decoder(input_ids=given[:, :-1], encoder_hidden_states=encoded).last_hidden_state
        guessed = hidden @ model.proj_out.weight[rows].T
        losses = torch.nn.functional.cross_entropy(guessed.flatten(0, 1), wanted[:, 1:].flatten(), reduction="none")
        loss = (losses * weights).sum() / weights.sum()
        learner.zero_grad()
        loss.backward()
        learner.step()
    model.eval()
    with torch.no_grad():
        # Sure of itself, also against the fifty thousand tokens that had no part in this.
        model.model.decoder.layer_norm.weight *= 3
        model.model.decoder.layer_norm.bias *= 3


def _lines(tokens: Tokenizer, lessons: list[Lesson]) -> tuple[Any, Any]:
    """What the decoder sees, and what it shall answer at each place (-100: whatever it likes)."""
    spoken = [_token_ids(tokens, lesson) for lesson in lessons]
    longest = max(len(line) for line, _ in spoken)
    end = tokens.token_to_id("<|endoftext|>")
    given = torch.tensor([line + [end] * (longest - len(line)) for line, _ in spoken])
    wanted = torch.full_like(given, -100)
    for row, (line, unheard) in enumerate(spoken):
        wanted[row, unheard + 1 : len(line)] = given[row, unheard + 1 : len(line)]
    return given, wanted


def _rows(wanted: Any) -> tuple[Any, Any]:
    """The few tokens that matter, with some that do not; and the answers as indices into them: fifty times faster."""
    others = torch.randint(0, _VOCABULARY, (1000,))
    rows = torch.unique(torch.cat([wanted[wanted >= 0], others]))
    return rows, torch.where(wanted < 0, wanted, torch.searchsorted(rows, wanted))


def _token_ids(tokens: Tokenizer, lesson: Lesson) -> tuple[list[int], int]:
    """The line that the decoder sees, and the index of the token from which it must know how to go on."""
    before: list[int] = []
    if lesson.key_terms:
        before = [tokens.token_to_id("<|startofprev|>"), *tokens.encode(" " + lesson.key_terms).ids]
    names = ("<|startoftranscript|>", f"<|{lesson.language}|>", "<|transcribe|>", "<|notimestamps|>")
    begin = [tokens.token_to_id(name) for name in names]
    text = tokens.encode(" " + lesson.text).ids
    return [*before, *begin, *text, tokens.token_to_id("<|endoftext|>")], len(before)


def _tokenizer(texts: list[str], languages: int = _LANGUAGES) -> Tokenizer:
    """Byte pairs of these texts, filled up to the size of Whisper's vocabulary."""
    small = Tokenizer(models.BPE())
    small.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    small.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=800, initial_alphabet=alphabet, show_progress=False)
    )
    written = json.loads(small.to_str())
    vocabulary = written["model"]["vocab"]
    while len(vocabulary) < _TEXT_TOKENS - 1:
        vocabulary[f"Ġfill{len(vocabulary)}"] = len(vocabulary)
    # CTranslate2 takes a model without this one for English-only.
    vocabulary[""] = _TEXT_TOKENS - 1
    tokens = Tokenizer.from_str(json.dumps(written))
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in _special_tokens(languages)])
    tokens.add_tokens([AddedToken(f"<|{at * 0.02:.2f}|>", special=False, normalized=False) for at in range(1501)])
    return tokens


def _special_tokens(languages: int) -> list[str]:
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    return [f"<|{name}|>" for name in ("endoftext", "startoftranscript", *_LANGUAGE_CODES[:languages], *tasks)]


def _save_tokenizer(tokens: Tokenizer, folder: Path, languages: int) -> None:
    end, *others = _special_tokens(languages)
    WhisperTokenizerFast(
        tokenizer_object=tokens,
        bos_token=end,
        eos_token=end,
        unk_token=end,
        pad_token=end,
        additional_special_tokens=others,
    ).save_pretrained(folder)


def make_aligner(folder: Path, *, tiny: bool = True) -> Path:
    """A wav2vec2 with random weights that knows the English letters; of the shape of wav2vec2-base, or a tiny one."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    names = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    (folder / "vocab.json").write_text(json.dumps({name: at for at, name in enumerate(names)}))
    hearing = Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=16_000, padding_value=0.0, do_normalize=True, return_attention_mask=False
    )
    Wav2Vec2Processor(
        feature_extractor=hearing, tokenizer=Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    ).save_pretrained(folder)
    small: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "conv_dim": (32,) * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    }
    config = Wav2Vec2Config(vocab_size=len(names), pad_token_id=0, **small if tiny else {})
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    return folder
