#!/usr/bin/env python3
"""Writes the comparison of README.md from the results of the harness.

  table.py RESULTS README      between the lines <!-- bench:begin --> and <!-- bench:end -->
  table.py RESULTS             to standard output

Each figure of s3levelfs is a ratio to one of the same run, as times of different runs say little.
"""
import json
import os
import sys

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
US, RAW, S3FS, RCLONE = "s3levelfs", "raw-s3", "s3fs", "rclone-full"

# profile, what, workload and field of ours, filesystem, workload and field that it is held against, the most that is asked for
RATIOS = [
    ("fast", "1 GiB written, in the bucket", "seq_write", "durable_s", RAW, "seq_write", 1.25),
    ("fast", "the same", "seq_write", "durable_s", S3FS, "seq_write", 0.59),
    ("fast", "1,000 files of 4 KiB, one by one, in the bucket", "small_create", "durable_s", RAW, "small_create", 0.92),
    ("fast", "untar of 1,500 files, in the bucket", "untar", "durable_s", RAW, "small_create", 1.49),
    ("lat", "256 MiB written, in the bucket", "seq_write", "durable_s", RAW, "seq_write", 1.11),
    ("lat", "200 files of 4 KiB, one by one, returned", "small_create", "seconds", RAW, "small_create_16", 0.48),
    ("lat", "the same, in the bucket", "small_create", "durable_s", RAW, "small_create_16", 1.10),
    ("lat", "rm -rf of 200 files", "rm_rf", "durable_s", RAW, "rm_rf", 3.0),
    ("fast", "1 GiB read, cold", "seq_read_cold", "seconds", S3FS, "seq_read_cold", 0.67),
    ("fast", "the same again, page cache dropped", "seq_read_warm", "seconds", RCLONE, "seq_read_warm", 0.83),
    ("fast", "1,000 files of 4 KiB read one by one, cold", "small_read", "seconds", RAW, "small_read", 1.90),
    ("fast", "the same by 16 readers", "small_read_16", "seconds", RAW, "small_read_16", 2.20),
    ("fast", "10,000 files in a tree walked, cold", "stat_walk", "seconds", RAW, "stat_walk", 1.80),
    ("fast", "20,000 files of a directory listed and looked at", "big_dir", "seconds", RAW, "big_dir", 1.30),
    ("lat", "256 MiB read, cold", "seq_read_cold", "seconds", RAW, "seq_read_cold", 1.11),
    ("lat", "200 files read one by one, cold", "small_read", "seconds", RAW, "small_read", 0.25),
    ("lat", "10,000 files in a tree walked, cold", "stat_walk", "seconds", RAW, "stat_walk", 1.30),
    ("lat", "20,000 files of a directory listed and looked at", "big_dir", "seconds", RAW, "big_dir", 0.73),
]
# profile, what, workload, field, unit, the most that is asked for
VALUES = [
    ("fast", "CPU for 1 GiB written", "seq_write", "cpu_s", "s", 1.4),
    ("fast", "CPU for 1 GiB read, cold", "seq_read_cold", "cpu_s", "s", 0.9),
    ("lat", "untar of 200 files, in the bucket", "untar", "durable_s", "s", 0.38),
    ("lat", "git clone", "git_clone", "quiet_s", "s", 0.43),
    ("lat", "rename of a directory of 50", "rename_dir", "durable_s", "s", 0.37),
    ("lat", "64 x 4 KiB changed in 128 MiB", "overwrite", "durable_s", "s", 0.92),
    ("lat", "100 lines appended to 64 MiB", "append", "durable_s", "s", 0.42),
]
WRITES = ["seq_write", "small_create", "small_create_16", "untar", "git_clone", "overwrite", "append", "append_reopen"]
PEAK_RSS = 128  # MB


def load(results):
    """The results by profile and filesystem."""
    all = {}
    for f in sorted(os.listdir(results)):
        if f.endswith(".json"):
            with open(f"{results}/{f}") as g:
                r = json.load(g)
            all.setdefault(r["profile"], {})[r["fs"]] = r
    return all


def figure(all, profile, fs, workload, field):
    """One figure, or None, or the text of what went wrong."""
    r = all.get(profile, {}).get(fs, {}).get("results", {}).get(workload)
    if not r:
        return None
    return "fails" if "error" in r else r.get(field)


def short(v):
    return f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"


def verdict(v, most):
    return "yes" if v <= most else "**no**"


def rows(all):
    for profile, what, workload, field, ref, refload, most in RATIOS:
        v, r = figure(all, profile, US, workload, field), figure(all, profile, ref, refload, "durable_s")
        if r is None:  # of what is only read
            r = figure(all, profile, ref, refload, "seconds")
        if isinstance(v, float) and isinstance(r, float):
            yield profile, what, f"{short(v)} s", f"{v / r:.2f} x {ref}'s {refload} ({short(r)} s)", f"{most:.2f} x", verdict(v / r, most)
        else:
            yield profile, what, str(v), f"not measured with {ref}", f"{most:.2f} x", ""
    for profile, what, workload, field, unit, most in VALUES:
        v, r = figure(all, profile, US, workload, field), figure(all, profile, S3FS, workload, field)
        beside = f"s3fs: {short(r)} {unit}" if isinstance(r, float) else "s3fs: not measured" if r is None else f"s3fs: {r}"
        if isinstance(v, float):
            yield profile, what, f"{short(v)} {unit}", beside, f"{most:.2f} {unit}", verdict(v, most)
        else:
            yield profile, what, str(v), beside, f"{most:.2f} {unit}", ""
    for profile in ("fast", "lat"):
        for kind, loads in (("write", WRITES), ("sequential read", ["seq_read_cold"])):
            peaks = {w: figure(all, profile, US, w, "rss_peak_mb") for w in loads}
            peaks = {w: v for w, v in peaks.items() if isinstance(v, float)}
            if peaks:
                w = max(peaks, key=peaks.get)
                yield profile, f"peak memory of a {kind} workload ({w})", f"{peaks[w]:.0f} MB", "", f"{PEAK_RSS} MB", verdict(peaks[w], PEAK_RSS)


def kills(all):
    """How many workloads were followed by a kill -9, and how many then lost something."""
    done = lost = 0
    for profile in all.values():
        for r in profile.get(US, {}).get("results", {}).values():
            if isinstance(r, dict) and "after_kill" in r:
                done += 1
                lost += not r["after_kill"].get("whole")
    return done, lost


def table(all):
    out = ["| profile | what | s3levelfs | against | asked for | met |", "|---|---|---|---|---|---|"]
    out += ["| " + " | ".join(r) + " |" for r in rows(all)]
    any = next((p[US] for p in all.values() if US in p), None)
    if any:
        versions = "; ".join(f"{fs} {r['version']}" for fs, r in sorted(all.get(any["profile"], {}).items()) if fs != US)
        n, lost = kills(all)
        out += ["", f"Measured {any['date'][:10]} on {any['cpus']} CPUs, Linux {any['kernel']}, best of {any.get('best_of', 1)} rounds in turn; caches, spools and "
                f"temporary files of all on {any.get('state_on', 'unknown')}; {any['version']}; {versions}. "
                f"After {n} of the workloads the mount was killed with SIGKILL and mounted again: {lost} lost anything."]
    return "\n".join(out)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    text = table(load(sys.argv[1]))
    if len(sys.argv) == 2:
        print(text)
        return
    with open(sys.argv[2]) as f:
        readme = f.read()
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        sys.exit(f"{sys.argv[2]}: needs one line {BEGIN} and one line {END}")
    head, rest = readme.split(BEGIN)
    with open(sys.argv[2], "w") as f:
        f.write(head + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
