"""The fuzz targets of tests/fuzz: which there are, what each begins with, and how it is run."""

from harness import CHECKOUT

FOLDER = CHECKOUT / "tests" / "fuzz"
BUILT = CHECKOUT / "build" / "fuzz"
MAILS = CHECKOUT / "tests" / "data" / "mail"
SECONDS, SECONDS_LONG = 15, 60
FOUND = 1  # the exit code of a finding; libFuzzer's own, 77, is that of a skipped test
INPUT_DEADLINE_S = 60  # for one input: endless is a finding, slow under a sanitizer is not
# Mails that other tests have anyway.
MORE_SEEDS = {"mime": ("class", "parse", "reply"), "reply": ("reply",), "report": ("class",)}


def targets():
    return sorted(path.stem for path in FOLDER.glob("*.c"))


def programs():
    return [f"fuzz-{name}" for name in targets()]


def command(name, seconds):
    """Looks for what is wrong for so long, from the seeds on and what earlier runs came to. What it finds is
    written to build/fuzz/found, and is a seed once it is mended."""
    grown, found = BUILT / "corpus" / name, BUILT / "found"
    for folder in (grown, found):
        folder.mkdir(parents=True, exist_ok=True)
    words = [BUILT / "bin" / f"fuzz-{name}", f"-max_total_time={seconds}", f"-timeout={INPUT_DEADLINE_S}",
             "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1", f"-error_exitcode={FOUND}",
             f"-artifact_prefix={found}/{name}-"]
    if (FOLDER / f"{name}.dict").exists():
        words.append(f"-dict={FOLDER / name}.dict")
    return words + [grown, FOLDER / "seeds" / name, *(MAILS / more for more in MORE_SEEDS.get(name, ()))]
