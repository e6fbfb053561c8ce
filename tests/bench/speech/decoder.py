"""pocketsphinx by itself: a whole recording in one piece; prints the words, then the seconds that it took, and the
seconds of processors."""

import sys
from time import perf_counter, process_time

import soundfile
from asr.providers.pocketsphinx_process import RATE, pocketsphinx, recognise


def main(path: str) -> None:
    decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")
    samples = soundfile.read(path, dtype="int16")[0].tobytes()
    begun, used = perf_counter(), process_time()
    said = recognise(decoder, samples, 0.0)
    print(" ".join(word for word, *_ in said))
    print(perf_counter() - begun)
    print(process_time() - used)


if __name__ == "__main__":
    main(sys.argv[1])
