#!/usr/bin/env python3
"""fsbench: measure S3 FUSE filesystems side by side. See README.md.

  fsbench.py run   [--fs a,b] [--profile fast,lat] [--only w1,w2] [--scale quick|std]
  fsbench.py table [--results DIR]

Everything runs in its own mount and PID namespace, which goes away with the
run, so that no mount and no server can be left behind. Python 3 stdlib only.
"""
import argparse, hashlib, hmac, http.client, itertools, json, mmap, os, random
import re, resource, shlex, shutil, signal, socket, struct, subprocess, sys
import tarfile, io, threading, time, urllib.parse
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
MiB = 1 << 20

# ---------------------------------------------------------------- test data
BASE = random.Random(7).randbytes(MiB + 65536)


def pat(seed, off, n):
    """The n bytes at off of test file number seed."""
    out = []
    while n > 0:
        b, o = divmod(off, MiB)
        m = min(n, MiB - o)
        sh = (b * 4099 + seed * 7919) % 65536
        out.append(BASE[sh + o:sh + o + m])
        off += m
        n -= m
    return out[0] if len(out) == 1 else b"".join(out)


# ------------------------------------------------- what runs on the mount
# Each op runs in a process of its own, so that a hung mount hangs only it.
class Prog:
    def __init__(self):
        p = os.environ.get("FSBENCH_PROGRESS")
        if p:
            self.m = mmap.mmap(os.open(p, os.O_RDWR), 8)
        else:
            self.m = bytearray(8)

    def set(self, n):
        self.m[0:8] = struct.pack("<q", n)


def wall(fd, data):
    v = memoryview(data)
    while len(v):
        v = v[os.write(fd, v):]


def threads(k, n, f, prog):
    c, errs, done = itertools.count(), [], itertools.count(1)

    def w():
        while not errs:
            i = next(c)
            if i >= n:
                return
            try:
                f(i)
                prog.set(next(done))
            except Exception as e:
                errs.append(e)
    if k == 1:
        w()
    else:
        ts = [threading.Thread(target=w) for _ in range(k)]
        [t.start() for t in ts]
        [t.join() for t in ts]
    if errs:
        raise errs[0]


def op_write_file(prog, path, size, seed):
    r = {}
    t0 = time.monotonic()
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    for i in range(size // MiB):
        wall(fd, pat(seed, i * MiB, MiB))
        prog.set(i)
    t1 = time.monotonic()
    try:
        os.fsync(fd)
    except OSError as e:
        r["fsync_error"] = str(e)
    t2 = time.monotonic()
    os.close(fd)
    t3 = time.monotonic()
    return dict(r, t0=t0, seconds=t3 - t0, write_s=t1 - t0, fsync_s=t2 - t1, close_s=t3 - t2)


def op_read_file(prog, path, size, seed):
    buf = bytearray(MiB)
    mv = memoryview(buf)
    t0 = time.monotonic()
    fd = os.open(path, os.O_RDONLY)
    for i in range(size // MiB):
        n = 0
        while n < MiB:
            m = os.readv(fd, [mv[n:]])
            if m == 0:
                raise IOError(f"short file at {i} MiB + {n}")
            n += m
        if buf != pat(seed, i * MiB, MiB):
            raise IOError(f"CORRUPT: wrong data in MiB {i}")
        if i == 0:
            tf = time.monotonic()
        prog.set(i)
    if os.read(fd, 1):
        raise IOError("CORRUPT: file too long")
    os.close(fd)
    return dict(t0=t0, seconds=time.monotonic() - t0, first_mib_s=tf - t0)


def op_rand_read(prog, path, size, bs, n, seed):
    rnd = random.Random(n * bs)
    lat = []
    t0 = time.monotonic()
    fd = os.open(path, os.O_RDONLY)
    for i in range(n):
        off = rnd.randrange(size // bs) * bs
        a = time.monotonic()
        d = os.pread(fd, bs, off)
        lat.append(time.monotonic() - a)
        if d != pat(seed, off, bs):
            raise IOError(f"CORRUPT: wrong data at {off}")
        prog.set(i)
    os.close(fd)
    t = time.monotonic() - t0
    lat.sort()
    return dict(t0=t0, seconds=t, p50_ms=lat[n // 2] * 1e3, p99_ms=lat[n * 99 // 100] * 1e3)


def op_create_small(prog, dir, n, size, k, seed):
    t0 = time.monotonic()
    os.mkdir(dir)

    def f(i):
        fd = os.open(f"{dir}/f{i:05d}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        try:
            wall(fd, pat(seed + i, 0, size))
        finally:
            os.close(fd)
    threads(k, n, f, prog)
    return dict(t0=t0, seconds=time.monotonic() - t0)


def op_read_small(prog, dir, n, size, k, seed):
    def f(i):
        fd = os.open(f"{dir}/f{i:05d}", os.O_RDONLY)
        try:
            d = os.read(fd, size + 1)
        finally:
            os.close(fd)
        if d != pat(seed + i, 0, size):
            raise IOError(f"CORRUPT: wrong data in file {i} ({len(d)} bytes)")
    t0 = time.monotonic()
    threads(k, n, f, prog)
    return dict(t0=t0, seconds=time.monotonic() - t0)


def op_walk(prog, dir, files, size):
    t0 = time.monotonic()
    n = 0
    for d, _, names in os.walk(dir):
        os.lstat(d)
        for x in names:
            if os.lstat(os.path.join(d, x)).st_size != size:
                raise IOError(f"wrong size of {d}/{x}")
            n += 1
            prog.set(n)
    t = time.monotonic() - t0
    if n != files:
        raise IOError(f"{n} files, not {files}")
    return dict(t0=t0, seconds=t)


def op_listdir(prog, dir, files):
    t0 = time.monotonic()
    names = os.listdir(dir)
    t1 = time.monotonic()
    if len(names) != files:
        raise IOError(f"{len(names)} names, not {files}")
    for i, x in enumerate(names):
        os.lstat(f"{dir}/{x}")
        prog.set(i)
    t2 = time.monotonic()
    return dict(t0=t0, seconds=t2 - t0, names_s=t1 - t0, stat_s=t2 - t1)


def op_rename(prog, a, b, files):
    t0 = time.monotonic()
    os.rename(a, b)
    t = time.monotonic() - t0
    if len(os.listdir(b)) != files:
        raise IOError("files missing after rename")
    if os.path.exists(a):
        raise IOError("old directory still there")
    return dict(t0=t0, seconds=t)


def sh(*a, **k):
    p = subprocess.run(a, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **k)
    if p.returncode:
        raise IOError(f"{a[0]} exit {p.returncode}: " + p.stdout.decode(errors="replace")[-300:].strip())
    return p.stdout


def op_rm(prog, dir):
    t0 = time.monotonic()
    sh("rm", "-rf", dir)
    return dict(t0=t0, seconds=time.monotonic() - t0)


def op_untar(prog, tar, dir):
    t0 = time.monotonic()
    os.mkdir(dir)
    sh("tar", "--no-same-owner", "-xf", tar, "-C", dir)
    return dict(t0=t0, seconds=time.monotonic() - t0)


def op_git(prog, repo, dir):
    env = dict(os.environ, HOME="/nonexistent", GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
    t0 = time.monotonic()
    sh("git", "clone", "-q", "file://" + repo, dir, env=env)
    t1 = time.monotonic()
    out = sh("git", "-C", dir, "status", "--porcelain", env=env)
    t2 = time.monotonic()
    if out:
        raise IOError("status is not clean: " + out.decode(errors="replace")[:200])
    return dict(t0=t0, seconds=t2 - t0, clone_s=t1 - t0, status_s=t2 - t1)


def op_overwrite(prog, path, size, n, seed):
    rnd = random.Random(seed)
    t0 = time.monotonic()
    fd = os.open(path, os.O_RDWR)
    for i in range(n):
        off = rnd.randrange(size // 4096) * 4096
        os.pwrite(fd, rnd.randbytes(4096), off)
        prog.set(i)
    t1 = time.monotonic()
    os.close(fd)
    return dict(t0=t0, seconds=time.monotonic() - t0, write_s=t1 - t0)


def op_append(prog, path, lines, reopen):
    t0 = time.monotonic()
    fd = -1
    for i in range(lines):
        if fd < 0:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, b"line %06d %s\n" % (i, b"x" * 100))
        if reopen:
            f, fd = fd, -1
            os.close(f)
        prog.set(i)
    if fd >= 0:
        os.close(fd)
    return dict(t0=t0, seconds=time.monotonic() - t0)


def op_main(name, arg):
    try:
        r = globals()["op_" + name](Prog(), **json.loads(arg))
    except Exception as e:
        r = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(r))


# ----------------------------------------------- the bucket, seen directly
class S3:
    """A little SigV4 client, straight to the server and not by the proxy."""

    def __init__(self, addr, key, secret, bucket):
        self.addr, self.key, self.secret, self.bucket = addr, key, secret, bucket
        self.c = None

    def req(self, method, key="", query=None, headers=None, body=b""):
        q = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in sorted((query or {}).items()))
        path = urllib.parse.quote("/" + self.bucket + ("/" + key if key else ""), safe="/-_.~")
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        ph = "UNSIGNED-PAYLOAD"
        h = {"host": self.addr, "x-amz-date": now, "x-amz-content-sha256": ph}
        h.update({k.lower(): v for k, v in (headers or {}).items()})
        sh_ = ";".join(sorted(h))
        canon = "\n".join([method, path, q, "".join(f"{k}:{h[k]}\n" for k in sorted(h)), sh_, ph])
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        k = ("AWS4" + self.secret).encode()
        for s in (now[:8], "us-east-1", "s3", "aws4_request"):
            k = hmac.new(k, s.encode(), hashlib.sha256).digest()
        tosign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canon.encode()).hexdigest()}"
        sig = hmac.new(k, tosign.encode(), hashlib.sha256).hexdigest()
        h["authorization"] = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope},SignedHeaders={sh_},Signature={sig}"
        for attempt in (0, 1):
            try:
                if not self.c:
                    self.c = http.client.HTTPConnection(self.addr, timeout=60)
                self.c.request(method, path + ("?" + q if q else ""), body=body, headers=h)
                r = self.c.getresponse()
                return r.status, r.headers, r.read()
            except (http.client.HTTPException, OSError):
                self.c = None
                if attempt:
                    raise

    def head(self, key):
        s, h, _ = self.req("HEAD", key)
        return (int(h["content-length"]), h["etag"]) if s == 200 else None

    def get(self, key):
        s, _, b = self.req("GET", key)
        if s != 200:
            raise IOError(f"GET {key}: {s}")
        return b

    def put(self, key, body, headers):
        s, _, b = self.req("PUT", key, headers=headers, body=body)
        if s != 200:
            raise IOError(f"PUT {key}: {s} {b[:200]}")

    def list(self, prefix):
        out, tok = {}, None
        while True:
            q = {"list-type": "2", "prefix": prefix}
            if tok:
                q["continuation-token"] = tok
            s, _, b = self.req("GET", "", q)
            if s != 200:
                raise IOError(f"LIST: {s} {b[:200]}")
            t = ET.fromstring(b)
            ns = t.tag[:t.tag.index("}") + 1] if "}" in t.tag else ""
            for c in t.findall(ns + "Contents"):
                out[c.find(ns + "Key").text] = int(c.find(ns + "Size").text)
            tok = t.findtext(ns + "NextContinuationToken")
            if not tok:
                return out


class Local:
    """The same, for a filesystem that has a directory behind it."""

    def __init__(self, root):
        self.root = root

    def p(self, key):
        return os.path.join(self.root, key)

    def head(self, key):
        try:
            st = os.stat(self.p(key))
            return st.st_size, str(st.st_mtime_ns)
        except FileNotFoundError:
            return None

    def get(self, key):
        with open(self.p(key), "rb") as f:
            return f.read()

    def put(self, key, body, headers):
        os.makedirs(os.path.dirname(self.p(key)), exist_ok=True)
        with open(self.p(key), "wb") as f:
            f.write(body)

    def list(self, prefix):
        out = {}
        for d, _, fs in os.walk(os.path.join(self.root, prefix)):
            for f in fs:
                p = os.path.join(d, f)
                out[os.path.relpath(p, self.root)] = os.path.getsize(p)
        return out


# ------------------------------------------------------------- accounting
TCK = os.sysconf("SC_CLK_TCK")


def proc_stat(pid):
    with open(f"/proc/{pid}/stat") as f:
        s = f.read()
    a = s[s.rindex(")") + 2:].split()
    return int(a[1]), (int(a[11]) + int(a[12])) / TCK  # ppid, cpu


def all_procs():
    r = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                r[int(p)] = proc_stat(p)
            except (FileNotFoundError, ProcessLookupError):
                pass
    return r


def tree_of(pid):
    ps = all_procs()
    t = {pid} if pid in ps else set()
    grew = True
    while grew:
        new = {p for p, (pp, _) in ps.items() if pp in t and p not in t}
        t |= new
        grew = bool(new)
    return {p: ps[p][1] for p in t}


def mem(pid, field):
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0


def busy():
    """CPU seconds the whole machine has spent, and ours."""
    with open("/proc/stat") as f:
        a = [int(x) for x in f.readline().split()[1:]]
    ru = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = sum(c for _, c in all_procs().values()) + ru.ru_utime + ru.ru_stime
    return (a[0] + a[1] + a[2] + a[5] + a[6]) / TCK, own


class Timeout(Exception):
    pass


class Dead(Exception):
    pass


SCALES = {
    "std": {
        "fast": dict(big=1024, small=1000, rr4=1000, rr128=500, rename=200, untar=1500, gitfiles=200, ow=256, app=64, lines=100, reopen=10),
        "lat": dict(big=256, small=200, rr4=200, rr128=100, rename=50, untar=200, gitfiles=60, ow=128, app=64, lines=100, reopen=5),
    },
    "quick": {
        "fast": dict(big=256, small=200, rr4=200, rr128=100, rename=50, untar=200, gitfiles=60, ow=64, app=16, lines=100, reopen=5),
        "lat": dict(big=64, small=50, rr4=50, rr128=25, rename=20, untar=60, gitfiles=20, ow=32, app=16, lines=20, reopen=3),
    },
}
PROFILES = {"fast": ("0s", 0), "lat": ("20ms", 80_000_000)}
TREE = dict(dirs=100, files=10000, size=100)
BIGDIR = dict(files=20000, size=10)


class Bench:
    def __init__(self, a):
        self.a = a
        self.root = os.environ.get("BENCH_ROOT", "/tmp/fsbench-ns")
        self.kids = []

    # -- the parts around the filesystem
    def start(self):
        r = self.root
        try:  # a little ahead of whatever else the machine does
            os.setpriority(os.PRIO_PROCESS, 0, -10)
            with open("/proc/self/autogroup", "w") as f:
                f.write("-10")
        except OSError as e:
            say("no higher priority: " + str(e))
        os.makedirs(r, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", f"size={self.a.tmpfs}", "fsbench", r)
        for d in ("data", "mnt", "home", "local"):
            os.mkdir(f"{r}/{d}")
        # what a filesystem keeps on this machine is on a disk, the same for all
        self.disk = os.path.join(self.a.disk, "fsbench-state")
        shutil.rmtree(self.disk, ignore_errors=True)
        for d in ("cache", "tmp"):
            os.makedirs(f"{self.disk}/{d}", mode=0o700)
        df = subprocess.run(["df", "--output=fstype,source", self.disk], stdout=subprocess.PIPE, text=True).stdout.split("\n")
        self.disk_is = " ".join(df[1].split()) if len(df) > 1 else "unknown"
        self.me = f"{r}/fsbench.py"  # this file may be edited or moved while it runs
        shutil.copy(os.path.abspath(__file__), self.me)
        self.progress = f"{r}/progress"
        with open(self.progress, "wb") as f:
            f.write(bytes(8))
        p = self.a.port
        self.srv, self.prx, self.ctl = (f"127.0.0.1:{p + i}" for i in range(3))
        fill = dict(addr=self.srv, data=f"{r}/data", key="test", secret="testsecret")
        srv_cmd = [x.format(**fill) for x in shlex.split(self.a.server)]
        os.makedirs(self.a.keep_logs, exist_ok=True)
        self.log = open(f"{self.a.keep_logs}/server.log", "wb")
        self.kids.append(subprocess.Popen(srv_cmd, stdout=self.log, stderr=self.log))
        self.wait_port(self.srv)
        self.kids.append(subprocess.Popen([self.a.proxy, "-listen", self.prx, "-upstream", self.srv, "-ctl", self.ctl]))
        self.wait_port(self.prx)
        self.wait_port(self.ctl)
        self.make_inputs()

    def wait_port(self, addr):
        h, p = addr.split(":")
        for _ in range(200):
            try:
                socket.create_connection((h, int(p)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("no server on " + addr)

    def make_inputs(self):
        for prof, z in SCALES[self.a.scale].items():
            rnd = random.Random(3)
            want = {}
            with tarfile.open(f"{self.root}/src-{prof}.tar", "w") as t:
                for i in range(z["untar"]):
                    n = f"src/pkg{i % 40:02d}/file{i:04d}.c"
                    size = int(min(200000, 200 * 1.0 / (1 - rnd.random()) ** 1.1))
                    ti = tarfile.TarInfo(n)
                    ti.size, ti.mtime, ti.mode = size, 1700000000 + i, 0o644
                    t.addfile(ti, io.BytesIO(pat(50000 + i, 0, size)))
                    want[n] = size
            self.tar_want = getattr(self, "tar_want", {})
            self.tar_want[prof] = want
            g = f"{self.root}/git-{prof}"
            env = dict(os.environ, HOME=self.root + "/home", GIT_AUTHOR_NAME="b", GIT_AUTHOR_EMAIL="b@b", GIT_COMMITTER_NAME="b", GIT_COMMITTER_EMAIL="b@b")
            sh("git", "init", "-q", "-b", "main", g, env=env)
            for c in range(4):
                for i in range(c, z["gitfiles"], 4):
                    os.makedirs(f"{g}/d{i % 10}", exist_ok=True)
                    with open(f"{g}/d{i % 10}/f{i}", "wb") as f:
                        f.write(pat(60000 + i, 0, 300 + i * 37 % 9000).hex().encode())
                sh("git", "-C", g, "add", ".", env=env)
                sh("git", "-C", g, "commit", "-q", "-m", f"c{c}", env=env)

    def proxy(self, path):
        h, p = self.ctl.split(":")
        c = http.client.HTTPConnection(h, int(p), timeout=10)
        c.request("GET", path)
        b = c.getresponse().read()
        c.close()
        return b

    def stats(self, reset=False):
        return json.loads(self.proxy("/reset" if reset else "/stats"))

    # -- a filesystem
    def use(self, cfg, profile):
        self.cfg, self.profile = cfg, profile
        self.z = SCALES[self.a.scale][profile]
        self.local = cfg.get("kind") == "local"
        self.kp = cfg.get("key_prefix", "")
        self.sub = cfg.get("subpath", "").strip("/")
        self.hdr = cfg.get("seed_headers", {})
        self.proc = None
        self.results = {}
        d, bw = PROFILES[profile]
        self.proxy(f"/set?delay={d}&bw={bw}")
        self.nmount = 0
        tag = hashlib.sha1((self.kp + json.dumps(self.hdr)).encode()).hexdigest()[:6]
        self.bench = f"bench-{cfg['name']}-{profile}".lower().replace("_", "-")
        self.seed = f"seed-{tag}"
        self.mkbucket(self.bench)
        self.seed_trees()

    def store(self, bucket):
        if self.local:
            return Local(f"{self.root}/local/{bucket}")
        return S3(self.srv, "test", "testsecret", bucket)

    def mkbucket(self, b):
        if self.local:
            shutil.rmtree(f"{self.root}/local/{b}", ignore_errors=True)
            os.makedirs(f"{self.root}/local/{b}")
            return
        s, _, body = self.store(b).req("PUT", "", headers=self.cfg.get("bucket_headers", {"x-amz-object-ownership": "BucketOwnerPreferred"} if self.hdr else {}))
        if s not in (200, 409):
            raise IOError(f"create bucket: {s} {body[:200]}")

    def seed_trees(self):
        """A bucket with the trees that are only listed, made once."""
        if self.local:
            if not os.path.isdir(f"{self.root}/local/{self.seed}"):
                self.mkbucket(self.seed)
                st = self.store(self.seed)
                for i in range(TREE["files"]):
                    st.put(f"{self.kp}tree/d{i % TREE['dirs']:03d}/f{i:05d}", bytes(TREE["size"]), {})
                for i in range(BIGDIR["files"]):
                    st.put(f"{self.kp}big/f{i:05d}", bytes(BIGDIR["size"]), {})
            return
        if self.store(self.seed).head(self.kp + "big/f00000"):
            return
        self.mkbucket(self.seed)
        t0 = time.time()
        for pre, d in (("tree/", TREE), ("big/", BIGDIR)):
            self.raw("seed", bucket=self.seed, endpoint="http://" + self.srv, prefix=self.kp + pre, n=d["files"], size=d["size"],
                     dirs=d.get("dirs", 1), conc=8, acl=self.hdr.get("x-amz-acl", ""), timeout=300)
        say(f"seeded {self.seed} in {time.time() - t0:.1f} s")

    def raw(self, cmd, timeout=120, **k):
        k.setdefault("endpoint", "http://" + self.prx)
        k.setdefault("bucket", self.bench)
        env = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="testsecret")
        p = subprocess.run([self.a.raw, cmd] + [f"-{a}={b}" for a, b in k.items()], stdout=subprocess.PIPE, env=env, timeout=timeout)
        r = json.loads(p.stdout or b"{}")
        if p.returncode or "error" in r:
            raise IOError(r.get("error", f"rawlimit exit {p.returncode}"))
        return r

    def fill(self, s, bucket):
        return s.format(endpoint="http://" + self.prx, host=self.prx, bucket=bucket, key="test", secret="testsecret", mnt=self.mnt,
                        cache=self.cache, tmp=self.disk + "/tmp", home=self.root + "/home", log=self.fslog,
                        backing=f"{self.root}/local/{bucket}", here=HERE, bin=os.environ.get("PEERS_BIN", "/usr/bin"), benchbin=os.environ.get("BENCH_BIN", os.path.join(HERE, "bin")))

    def mount(self, bucket=None, cache=None):
        """Mounts afresh: a new process, an empty cache unless one is given."""
        self.umount()
        bucket = bucket or self.bench
        self.nmount += 1
        self.mnt = f"{self.root}/mnt/{self.cfg['name']}-{self.nmount}"
        self.cache = cache or f"{self.disk}/cache/{self.cfg['name']}-{self.nmount}"
        self.fslog = f"{self.disk}/tmp/{self.cfg['name']}.log"
        os.makedirs(self.mnt, exist_ok=True)
        os.makedirs(self.cache, exist_ok=True)
        env = dict(os.environ, HOME=self.root + "/home", TMPDIR=self.disk + "/tmp", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="testsecret", AWS_REGION="us-east-1")
        env.update({k: self.fill(v, bucket) for k, v in self.cfg.get("env", {}).items()})
        if self.cfg.get("setup"):
            subprocess.run(["sh", "-c", self.fill(self.cfg["setup"], bucket)], check=True, env=env, timeout=20)
        cmd = [self.fill(x, bucket) for x in shlex.split(self.cfg["cmd"])]
        lf = open(self.fslog, "ab")
        t0 = time.monotonic()
        self.proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=lf, stderr=lf, env=env)
        lf.close()
        while True:
            with open("/proc/self/mountinfo") as f:
                if any(line.split()[4] == self.mnt for line in f):
                    break
            if self.proc.poll() is not None:
                raise Dead(f"mount exited {self.proc.returncode}: {self.logtail()}")
            if time.monotonic() - t0 > 20:
                self.kill()
                raise Dead("no mount after 20 s: " + self.logtail())
            time.sleep(0.005)
        self.w = self.mnt + ("/" + self.sub if self.sub else "")
        p = subprocess.Popen(["stat", self.w], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if p.wait(20):
                raise Dead("cannot stat " + self.w + ": " + self.logtail())
        except subprocess.TimeoutExpired:
            self.kill()
            raise Dead("stat of the mount hangs: " + self.logtail())
        self.mount_s = time.monotonic() - t0

    def logtail(self):
        try:
            with open(self.fslog, "rb") as f:
                return f.read()[-300:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    def kill(self):
        if self.proc:
            for p in tree_of(self.proc.pid):
                try:
                    os.kill(p, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.proc.wait()
            subprocess.run(["umount", "-l", self.mnt], stderr=subprocess.DEVNULL, timeout=20)
            self.proc = None

    def umount(self):
        """Clean unmount; returns how long it took until the process had gone."""
        if not self.proc:
            return None
        t0 = time.monotonic()
        u = subprocess.Popen(shlex.split(self.fill(self.cfg.get("umount", "umount {mnt}"), "")), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        clean = True
        try:
            u.wait(30)
            self.proc.wait(30)
        except subprocess.TimeoutExpired:
            clean = False
            u.kill()
        t = time.monotonic() - t0
        self.kill()
        shutil.rmtree(self.cache, ignore_errors=True)
        try:
            os.rmdir(self.mnt)
        except OSError:
            pass
        for x in os.listdir(self.disk + "/tmp"):
            p = f"{self.disk}/tmp/{x}"
            if p != self.fslog:
                shutil.rmtree(p, ignore_errors=True) if os.path.isdir(p) else os.unlink(p)
        return t if clean else None

    def drop(self):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3")

    def op(self, name, timeout=None, **k):
        timeout = timeout or self.a.timeout
        with open(self.progress, "r+b") as f:
            f.write(bytes(8))
        p = subprocess.Popen([sys.executable, self.me, "_op", name, json.dumps(k)], stdout=subprocess.PIPE,
                             env=dict(os.environ, FSBENCH_PROGRESS=self.progress))
        try:
            out, _ = p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for q in tree_of(p.pid):
                try:
                    os.kill(q, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()  # frees what hangs in the kernel
                p.wait()
            with open(self.progress, "rb") as f:
                done = struct.unpack("<q", f.read(8))[0]
            if self.proc and self.proc.poll() is not None:
                raise Timeout(f"timeout {timeout} s, {done} done; the filesystem died")
            raise Timeout(f"timeout {timeout} s, {done} done")
        r = json.loads(out or b'{"error":"worker died"}')
        if "error" in r:
            if self.proc and self.proc.poll() is not None:
                r["error"] += "; the filesystem died: " + self.logtail()[-200:]
            raise IOError(r["error"])
        return r

    # -- when is it in the bucket
    def until(self, f, t0, timeout=None):
        end = time.monotonic() + (timeout or self.a.durable)
        gap = 0.01
        while True:
            a = time.monotonic()
            if f():
                return a - t0
            if time.monotonic() > end:
                return None
            time.sleep(gap)
            gap = min(0.1, gap * 1.2)

    def durable(self, r, f):
        """Waits until f() is true of the bucket; if it does not get so by itself, after an unmount."""
        t = self.until(f, r["t0"])
        if t is None:
            self.umount()
            t = self.until(f, r["t0"], 5)
            r["durable_after_unmount"] = True
        r["durable_s"] = t
        if t is None:
            r["error"] = "not in the bucket, nor after unmount"
        return r

    def have(self, bucket, prefix, want):
        st = self.store(bucket)

        def f():
            got = st.list(self.kp + prefix)
            return all(got.get(self.kp + k) == s for k, s in want.items())
        return f

    def settle(self):
        last, tl = None, time.monotonic()
        end = tl + 10
        while time.monotonic() < end:
            s = self.stats()
            n = (sum(s["ops"].values()), s["bytes_up"], s["inflight"])
            if n != last:
                last, tl = n, time.monotonic()
            elif s["inflight"] == 0 and time.monotonic() - tl > 0.25:
                break
            elif time.monotonic() - tl > 2:
                break
            time.sleep(0.03)
        return tl

    def measure(self, name, fn):
        if self.a.only and name not in self.a.only:
            return
        try:
            if not self.proc or self.proc.poll() is not None:
                self.kill()
                self.mount(self.cur)
            self.wait_quiet()
            self.stats(reset=True)
            pid = self.proc.pid
            for p in tree_of(pid):
                try:
                    with open(f"/proc/{p}/clear_refs", "w") as f:
                        f.write("5")
                except OSError:
                    pass
            c0 = sum(tree_of(pid).values())
            b0, o0 = busy()
            w0 = time.monotonic()
            r = fn() or {}
        except (Timeout, Dead, OSError, subprocess.SubprocessError, ET.ParseError) as e:
            r = {"error": str(e)[:400]}
            if "pid" not in locals():
                self.results[name] = r
                say(f"  {name:18s} {r['error'][:150]}")
                return
        tl = self.settle()
        if "t0" in r:
            r["quiet_s"] = max(r["seconds"], tl - r.pop("t0"))
        ps = tree_of(pid)
        if ps:
            r["cpu_s"] = round(sum(ps.values()) - c0, 3)
            r["rss_peak_mb"] = round(sum(mem(p, "VmHWM") for p in ps), 1)
            r["rss_mb"] = round(sum(mem(p, "VmRSS") for p in ps), 1)
        b1, o1 = busy()
        w = time.monotonic() - w0
        r["foreign_cpu"] = round(max(0, (b1 - b0) - (o1 - o0)) / w, 2)
        s = self.stats(reset=True)
        r["requests"] = sum(s["ops"].values())
        r["ops"], r["verbs"] = s["ops"], s["verbs"]
        for k in ("bytes_up", "bytes_down", "conns", "max_inflight", "errors"):
            if s[k]:
                r[k] = s[k]
        for k, v in r.items():
            if isinstance(v, float):
                r[k] = round(v, 4)
        self.results[name] = r
        t = " ".join(f"{k}={r[k]:.2f}" for k in ("seconds", "durable_s", "cpu_s") if isinstance(r.get(k), (int, float)))
        say(f"  {name:18s} {t} req={r['requests']} rss={r.get('rss_peak_mb')} {'FOREIGN CPU %.2f ' % r['foreign_cpu'] if r['foreign_cpu'] > .15 else ''}{r.get('error', '')[:160]}")

    def wait_quiet(self):
        """Waits, not for ever, until nothing else uses the CPUs."""
        end = time.monotonic() + self.a.quiet
        while time.monotonic() < end:
            b0, o0 = busy()
            t0 = time.monotonic()
            time.sleep(0.3)
            b1, o1 = busy()
            if ((b1 - b0) - (o1 - o0)) / (time.monotonic() - t0) < 0.15:
                return

    def wants(self, *names):
        return not self.a.only or any(n in self.a.only for n in names)

    def remount(self, bucket=None):
        self.cur = bucket or self.bench
        try:
            self.mount(self.cur)
            return True
        except (Dead, OSError, subprocess.SubprocessError) as e:
            say("  mount failed: " + str(e)[:200])
            self.results.setdefault("mount_errors", []).append(str(e)[:300])
            self.kill()
            return False

    # -- kill -9 after a workload
    def killed(self, name, op, there):
        """Runs a write workload once more, kills the filesystem with SIGKILL when it has returned, mounts again with the
        same state: everything must get into the bucket."""
        if not self.cfg.get("crash_safe") or self.a.only and name not in self.a.only or "error" in self.results.get(name, {}):
            return
        try:
            self.remount()
            op()
            cache = self.cache
            under = self.stats()["inflight"]
            self.kill()
            t0 = time.monotonic()
            self.mount(self.bench, cache)
            t = self.until(there, t0)
            self.results[name]["after_kill"] = dict(whole=t is not None, seconds=t and round(t, 3), inflight=under)
        except (Timeout, Dead, OSError, subprocess.SubprocessError) as e:
            self.results[name]["after_kill"] = dict(whole=False, error=str(e)[:300])
        say(f"  {'':18s} after kill -9: {self.results[name]['after_kill']}")

    # -- the suite
    def suite(self):
        z, kp = self.z, self.kp
        st = self.store(self.bench)
        big = z["big"] * MiB
        if self.cfg.get("kind") == "raw":
            return self.raw_suite()
        if not self.remount():
            return
        time.sleep(1)
        ps = tree_of(self.proc.pid)
        self.results["idle"] = dict(mount_s=round(self.mount_s, 3), rss_mb=round(sum(mem(p, "VmRSS") for p in ps), 1), ops=self.stats()["ops"])
        say(f"  idle               {self.results['idle']}")

        def seq_write():
            r = self.op("write_file", path=self.w + "/big.bin", size=big, seed=1)
            return self.durable(r, lambda: (st.head(kp + "big.bin") or [0])[0] == big)
        if self.wants("seq_write", "seq_read_cold", "seq_read_warm", "seq_read_again", "rand_4k", "rand_128k"):
            only, self.a.only = self.a.only, None
            self.measure("seq_write", seq_write)
            self.a.only = only
            self.killed("seq_write", lambda: self.op("write_file", path=self.w + "/big2.bin", size=big, seed=2),
                        lambda: (st.head(kp + "big2.bin") or [0])[0] == big and st.get(kp + "big2.bin") == pat(2, 0, big))
            if (st.head(kp + "big.bin") or [0])[0] != big:  # the reads need it
                self.umount()
                st.put(kp + "big.bin", pat(1, 0, big), self.hdr)
                self.results["seq_write"]["reseeded"] = True
        rd = lambda: self.op("read_file", path=self.w + "/big.bin", size=big, seed=1)
        if self.wants("seq_read_cold", "seq_read_warm", "seq_read_again"):
            self.remount()
            self.measure("seq_read_cold", rd)
            self.measure("seq_read_again", rd)
            self.drop()
            self.measure("seq_read_warm", rd)
        for n, bs, k in (("rand_4k", 4096, z["rr4"]), ("rand_128k", 131072, z["rr128"])):
            if self.wants(n):
                self.remount()
                self.measure(n, lambda: self.op("rand_read", path=self.w + "/big.bin", size=big, bs=bs, n=k, seed=1))

        if self.wants("small_create", "small_create_16", "small_read", "small_read_16", "rename_dir", "rm_rf"):
            self.remount()
            n = z["small"]

            def small(d, k, seed, n=n):
                r = self.op("create_small", dir=f"{self.w}/{d}", n=n, size=4096, k=k, seed=seed)
                r = self.durable(r, self.have(self.bench, d + "/", {f"{d}/f{i:05d}": 4096 for i in range(n)}))
                for i in random.Random(1).sample(range(n), 20):
                    if st.get(f"{kp}{d}/f{i:05d}") != pat(seed + i, 0, 4096):
                        r["error"] = f"CORRUPT: object {i}"
                return r
            only, self.a.only = self.a.only, None
            self.measure("small_create", lambda: small("small1", 1, 1000))
            self.measure("small_create_16", lambda: small("small16", 16, 2000))
            self.a.only = only
            self.killed("small_create", lambda: self.op("create_small", dir=f"{self.w}/small3", n=n, size=4096, k=1, seed=4000),
                        lambda: self.have(self.bench, "small3/", {f"small3/f{i:05d}": 4096 for i in range(n)})()
                        and all(st.get(f"{kp}small3/f{i:05d}") == pat(4000 + i, 0, 4096) for i in range(n)))
            for d, seed in (("small1", 1000), ("small16", 2000)):
                if "error" in self.results[{"small1": "small_create"}.get(d, "small_create_16")]:
                    for i in range(n):
                        st.put(f"{kp}{d}/f{i:05d}", pat(seed + i, 0, 4096), self.hdr)
            if self.wants("small_read", "small_read_16"):
                self.remount()
                self.measure("small_read", lambda: self.op("read_small", dir=self.w + "/small1", n=n, size=4096, k=1, seed=1000))
                self.remount()
                self.measure("small_read_16", lambda: self.op("read_small", dir=self.w + "/small16", n=n, size=4096, k=16, seed=2000))
            if self.wants("rename_dir", "rm_rf"):
                for i in range(z["rename"]):
                    st.put(f"{kp}ren/f{i:05d}", pat(3000 + i, 0, 4096), self.hdr)
                self.remount()

                def ren():
                    m = z["rename"]
                    r = self.op("rename", a=self.w + "/ren", b=self.w + "/ren2", files=m)
                    new = self.have(self.bench, "ren2/", {f"ren2/f{i:05d}": 4096 for i in range(m)})
                    return self.durable(r, lambda: new() and not any(k.endswith(tuple("0123456789")) for k in st.list(kp + "ren/")))
                self.measure("rename_dir", ren)

                def rm():
                    r = self.op("rm", dir=self.w + "/small16")
                    return self.durable(r, lambda: not st.list(kp + "small16/"))
                self.measure("rm_rf", rm)

        if self.wants("stat_walk", "stat_walk_warm"):
            self.remount(self.seed)
            f = lambda: self.op("walk", dir=self.w + "/tree", files=TREE["files"], size=TREE["size"])
            self.measure("stat_walk", f)
            self.measure("stat_walk_warm", f)
        if self.wants("big_dir", "big_dir_warm"):
            self.remount(self.seed)
            f = lambda: self.op("listdir", dir=self.w + "/big", files=BIGDIR["files"])
            self.measure("big_dir", f)
            self.measure("big_dir_warm", f)

        if self.wants("untar"):
            self.remount()

            def untar():
                r = self.op("untar", tar=f"{self.root}/src-{self.profile}.tar", dir=self.w + "/untar")
                want = {"untar/" + k: v for k, v in self.tar_want[self.profile].items()}
                r = self.durable(r, self.have(self.bench, "untar/", want))
                for k in random.Random(2).sample(sorted(want), 20):
                    i = int(k[-6:-2])
                    if st.get(kp + k) != pat(50000 + i, 0, want[k]):
                        r["error"] = "CORRUPT: object " + k
                return r
            self.measure("untar", untar)
            want = {"untar2/" + k: v for k, v in self.tar_want[self.profile].items()}
            self.killed("untar", lambda: self.op("untar", tar=f"{self.root}/src-{self.profile}.tar", dir=self.w + "/untar2"),
                        lambda: self.have(self.bench, "untar2/", want)() and all(st.get(kp + k) == pat(50000 + int(k[-6:-2]), 0, v) for k, v in want.items()))
        if self.wants("git_clone"):
            self.remount()
            self.measure("git_clone", lambda: self.op("git", repo=f"{self.root}/git-{self.profile}", dir=self.w + "/clone"))

        def changed(r, key, want):
            seen = [None]

            def f():
                h = st.head(key)
                if not h or h[0] != len(want) or h[1] == seen[0]:
                    return False
                seen[0] = h[1]
                return st.get(key) == want
            r = self.durable(r, f)
            if "error" in r:  # say what is there instead
                got = st.get(key)
                diff = [i for i in range(0, max(len(got), len(want)), 4096) if got[i:i + 4096] != want[i:i + 4096]]
                r["error"] += f": {len(got)} bytes, not {len(want)}; {len(diff)} of its 4 KiB pages differ, first at {diff[0] if diff else None}"
            return r
        if self.wants("overwrite"):
            size = z["ow"] * MiB
            body = bytearray(pat(4, 0, size))
            st.put(kp + "ow.bin", body, self.hdr)
            rnd = random.Random(9)
            for i in range(64):
                off = rnd.randrange(size // 4096) * 4096
                body[off:off + 4096] = rnd.randbytes(4096)
            self.remount()
            self.measure("overwrite", lambda: changed(self.op("overwrite", path=self.w + "/ow.bin", size=size, n=64, seed=9), kp + "ow.bin", body))
            st.put(kp + "ow2.bin", pat(4, 0, size), self.hdr)
            self.killed("overwrite", lambda: self.op("overwrite", path=self.w + "/ow2.bin", size=size, n=64, seed=9), lambda: st.get(kp + "ow2.bin") == body)
            del body
        for name, lines, reopen in (("append", z["lines"], False), ("append_reopen", z["reopen"], True)):
            if self.wants(name):
                body = pat(5, 0, z["app"] * MiB)
                st.put(kp + name + ".log", body, self.hdr)
                body += b"".join(b"line %06d %s\n" % (i, b"x" * 100) for i in range(lines))
                self.remount()
                self.measure(name, lambda: changed(self.op("append", path=f"{self.w}/{name}.log", lines=lines, reopen=reopen), kp + name + ".log", body))
                st.put(kp + name + "2.log", pat(5, 0, z["app"] * MiB), self.hdr)
                self.killed(name, lambda: self.op("append", path=f"{self.w}/{name}2.log", lines=lines, reopen=reopen), lambda: st.get(kp + name + "2.log") == body)
        t = self.umount()
        self.results["idle"]["umount_s"] = t if t is None else round(t, 3)

    def raw_suite(self):
        z = self.z
        big = z["big"] * MiB

        def m(name, cmd, **k):
            if self.a.only and name not in self.a.only:
                return
            self.wait_quiet()
            self.stats(reset=True)
            b0, o0 = busy()
            w0 = time.monotonic()
            try:
                x = self.raw(cmd, **k)
                r = dict(seconds=x["seconds"], durable_s=x["seconds"], cpu_s=x["cpu_s"], rss_peak_mb=x["rss_mb"])
            except Exception as e:
                r = {"error": str(e)[:300]}
            b1, o1 = busy()
            r["foreign_cpu"] = round(max(0, (b1 - b0) - (o1 - o0)) / (time.monotonic() - w0), 2)
            s = self.stats(reset=True)
            r.update(requests=sum(s["ops"].values()), ops=s["ops"], bytes_up=s["bytes_up"], bytes_down=s["bytes_down"], max_inflight=s["max_inflight"])
            self.results[name] = {a: round(v, 4) if isinstance(v, float) else v for a, v in r.items()}
            say(f"  {name:18s} {r.get('seconds')} req={r['requests']} {r.get('error', '')}")
        if self.a.only and self.a.only & {"seq_read_cold", "rand_4k", "rand_128k"}:
            self.a.only = self.a.only | {"seq_write"}
        if self.a.only and self.a.only & {"small_read", "small_read_16", "rm_rf"}:
            self.a.only = self.a.only | {"small_create", "small_create_16"}
        m("seq_write", "put", size=big, part=8 * MiB, conc=8)
        m("seq_read_cold", "get", size=big, part=8 * MiB, conc=8)
        m("rand_4k", "rand", size=big, part=4096, n=z["rr4"], conc=1)
        m("rand_128k", "rand", size=big, part=131072, n=z["rr128"], conc=1)
        m("small_create", "putmany", prefix="s1/", n=z["small"], size=4096, conc=1)
        m("small_create_16", "putmany", prefix="s16/", n=z["small"], size=4096, conc=16)
        m("small_read", "getmany", prefix="s1/", n=z["small"], conc=1)
        m("small_read_16", "getmany", prefix="s16/", n=z["small"], conc=16)
        m("rm_rf", "delmany", prefix="s16/", conc=1)
        m("stat_walk", "list", bucket=self.seed, prefix="tree/")
        m("big_dir", "list", bucket=self.seed, prefix="big/")

    def clean(self):
        self.umount()
        shutil.rmtree(f"{self.root}/data/{self.bench}", ignore_errors=True)
        shutil.rmtree(f"{self.root}/local/{self.bench}", ignore_errors=True)


def best_of(old, r):
    """The faster of two runs of a workload. A run that fails beats one that does not, as does a kill that loses something."""
    if not old or "error" in r:
        return r
    if "error" in old:
        return old
    field = "durable_s" if "durable_s" in r else "seconds"
    best = dict(r if r.get(field, 0) < old.get(field, 0) else old)
    for x in (old, r):
        if not x.get("after_kill", {}).get("whole", True):
            best["after_kill"] = x["after_kill"]
    best["all"] = old.get("all", [old.get(field)]) + [r.get(field)]
    for k in ("rss_peak_mb",):
        best[k] = max(old.get(k, 0), r.get(k, 0))
    return best


def say(*a):
    print(*a, flush=True)


def version(cfg):
    v = cfg.get("version")
    if not v:
        return ""
    b = dict(bin=os.environ.get("PEERS_BIN", "/usr/bin"), benchbin=os.environ.get("BENCH_BIN", os.path.join(HERE, "bin")), here=HERE)
    try:
        p = subprocess.run(["sh", "-c", v.format(**b)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        return p.stdout.decode(errors="replace").strip().split("\n")[0]
    except Exception as e:
        return str(e)


def one_pass(b, cfg, prof, only, merged):
    """Runs all workloads once, or those of only, and merges what came out; returns the seconds that it took."""
    say(f"== {cfg['name']} / {prof} {time.strftime('%H:%M:%S')}")
    t0 = time.time()
    b.a.only = only
    try:
        b.use(cfg, prof)
        b.suite()
    except Exception as e:
        import traceback
        traceback.print_exc()
        b.results["harness_error"] = repr(e)
    try:
        b.clean()
    except Exception as e:
        say("clean: " + repr(e))
    for w, r in b.results.items():
        old = merged.get(w)
        if not isinstance(r, dict):
            merged[w] = (old or []) + r if isinstance(r, list) else r
        elif b.a.best > 1:
            merged[w] = best_of(old, r)
        elif not old or "error" in old or w != "idle" and "error" not in r and r.get("foreign_cpu", 9) < old.get("foreign_cpu", 9):
            merged[w] = r
    b.a.only = b.a.only0
    lg = getattr(b, "fslog", "")
    if b.a.keep_logs and os.path.exists(lg):
        os.makedirs(b.a.keep_logs, exist_ok=True)
        with open(lg, "rb") as f, open(f"{b.a.keep_logs}/{cfg['name']}-{prof}.log", "wb") as g:
            g.write(f.read()[-200000:])
        os.unlink(lg)
    say(f"   took {time.time() - t0:.0f} s")
    return time.time() - t0


def quiet_passes(b, cfg, prof, merged):
    """Runs the workloads, and again those that something else on the machine disturbed."""
    a, only, took = b.a, b.a.only0, 0.0
    for k in range(a.passes):
        took += one_pass(b, cfg, prof, only, merged)
        only = {w for w, r in merged.items() if isinstance(r, dict) and r.get("foreign_cpu", 0) > 0.3 and not r.get("error", "").startswith("timeout")}
        if a.only0:
            only &= a.only0
        if not only:
            break
        if k + 1 < a.passes:
            say("  again, as disturbed: " + " ".join(sorted(only)))
    return took


def write_results(b, cfg, prof, merged, took):
    a, n = b.a, cfg["name"]
    os.makedirs(a.results, exist_ok=True)
    path = f"{a.results}/{n}-{prof}.json"
    out = dict(fs=n, profile=prof, version=version(cfg), cmd=cfg.get("cmd", ""), kernel=os.uname().release, cpus=os.cpu_count(),
               scale=a.scale, best_of=a.best, state_on=b.disk_is, sizes=b.z, date=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), took_s=round(took), results=merged)
    if a.only0 and os.path.exists(path):  # a partial run adds to what is there
        with open(path) as f:
            old = json.load(f)
        old["results"].update(out["results"])
        out["results"] = old["results"]
    with open(path, "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


def main_run(a):
    if os.environ.get("FSBENCH_NS") != "1":
        os.environ["FSBENCH_NS"] = "1"
        os.environ.setdefault("FSBENCH_LOAD", "%.2f" % os.getloadavg()[0])
        os.execvp("unshare", ["unshare", "-m", "-p", "-f", "--propagation", "private", "--mount-proc", "--kill-child=SIGKILL",
                              sys.executable, os.path.abspath(__file__)] + sys.argv[1:])
    with open(a.config) as f:
        cfgs = {c["name"]: c for c in json.load(f)}
    names = a.fs.split(",") if a.fs else [n for n, c in cfgs.items() if not c.get("off")]
    a.only = a.only0 = set(a.only.split(",")) if a.only else None
    b = Bench(a)
    b.start()
    os.makedirs(a.results, exist_ok=True)
    for prof in a.profile.split(","):
        use = [n for n in names if cfgs[n].get("kind") != "local" or prof == "fast"]
        merged, took = {n: {} for n in use}, {n: 0.0 for n in use}
        if a.best > 1:  # in turn: a machine that slows down meanwhile slows all of them
            for _ in range(a.best):
                for n in use:
                    took[n] += one_pass(b, cfgs[n], prof, a.only0, merged[n])
        for n in use:
            if a.best == 1:
                took[n] = quiet_passes(b, cfgs[n], prof, merged[n])
            write_results(b, cfgs[n], prof, merged[n], took[n])
    for k in b.kids:
        k.kill()
    shutil.rmtree(b.disk, ignore_errors=True)


# ----------------------------------------------------------------- the table
ROWS = [  # label, workload, field, unit: s or MB/s or MB or n
    ("mount ready", "idle", "mount_s", "s"),
    ("1 seq write, until durable", "seq_write", "durable_s", "MB/s"),
    ("1 seq write, close returned", "seq_write", "seconds", "MB/s"),
    ("2 seq read cold", "seq_read_cold", "seconds", "MB/s"),
    ("2b first MiB cold", "seq_read_cold", "first_mib_s", "s"),
    ("3b seq read again, kernel cache kept", "seq_read_again", "seconds", "MB/s"),
    ("3 seq read again, kernel cache dropped", "seq_read_warm", "seconds", "MB/s"),
    ("4 random 4 KiB reads", "rand_4k", "seconds", "s"),
    ("4 random 4 KiB, p50 (ms)", "rand_4k", "p50_ms", "ms"),
    ("4b random 128 KiB reads", "rand_128k", "seconds", "s"),
    ("5 create small files, returned", "small_create", "seconds", "s"),
    ("5 create small files, durable", "small_create", "durable_s", "s"),
    ("5b same, 16 threads, durable", "small_create_16", "durable_s", "s"),
    ("6 read small files cold", "small_read", "seconds", "s"),
    ("6b same, 16 threads", "small_read_16", "seconds", "s"),
    ("7 walk + lstat 10,000 cold", "stat_walk", "seconds", "s"),
    ("7b same, warm", "stat_walk_warm", "seconds", "s"),
    ("8 list dir of 20,000, names", "big_dir", "names_s", "s"),
    ("8 list dir of 20,000 + lstat", "big_dir", "seconds", "s"),
    ("8b same, warm", "big_dir_warm", "seconds", "s"),
    ("9 rename dir, durable", "rename_dir", "durable_s", "s"),
    ("10 rm -rf, durable", "rm_rf", "durable_s", "s"),
    ("11 untar, returned", "untar", "seconds", "s"),
    ("11 untar, durable", "untar", "durable_s", "s"),
    ("12 git clone + status, quiet", "git_clone", "quiet_s", "s"),
    ("12b git status after clone", "git_clone", "status_s", "s"),
    ("13 overwrite 64 x 4 KiB in place, durable", "overwrite", "durable_s", "s"),
    ("13b MB sent to S3 for it", "overwrite", "bytes_up", "mb"),
    ("13c MB fetched from S3 for it", "overwrite", "bytes_down", "mb"),
    ("14 append lines, one open, durable", "append", "durable_s", "s"),
    ("14b append lines, open/close each, durable", "append_reopen", "durable_s", "s"),
    ("14c MB sent to S3 for 14b", "append_reopen", "bytes_up", "mb"),
    ("15 peak RSS in seq write", "seq_write", "rss_peak_mb", "MB"),
    ("15 peak RSS in seq read", "seq_read_cold", "rss_peak_mb", "MB"),
    ("8 RSS after listing 20,000", "big_dir", "rss_mb", "MB"),
    ("16 idle RSS", "idle", "rss_mb", "MB"),
    ("17 CPU s/GiB seq write", "seq_write", "cpu_s", "cpu"),
    ("17 CPU s/GiB seq read", "seq_read_cold", "cpu_s", "cpu"),
    ("MB fetched for rand 4 KiB", "rand_4k", "bytes_down", "mb"),
]
LIMITS = ("raw-s3", "loopback", "loopback-nopass")
REQ = ["idle", "seq_write", "seq_read_cold", "seq_read_warm", "rand_4k", "rand_128k", "small_create", "small_create_16", "small_read", "small_read_16", "stat_walk",
       "stat_walk_warm", "big_dir", "big_dir_warm", "rename_dir", "rm_rf", "untar", "git_clone", "overwrite", "append", "append_reopen"]
SHORT = {"GetObject": "G", "HeadObject": "H", "PutObject": "P", "List": "L", "CopyObject": "C", "DeleteObject": "D", "DeleteObjects": "Dn", "UploadPart": "Up",
         "UploadPartCopy": "Uc", "CreateMultipartUpload": "M+", "CompleteMultipartUpload": "M.", "AbortMultipartUpload": "Mx", "HeadBucket": "Hb", "ListMultipartUploads": "Lm",
         "GetAcl": "Ga", "PutAcl": "Pa", "GetBucketX": "Gb"}


def main_table(a):
    out = []
    for prof in ("fast", "lat"):
        rs = []
        for f in sorted(os.listdir(a.results)):
            if f.endswith(f"-{prof}.json"):
                with open(f"{a.results}/{f}") as g:
                    rs.append(json.load(g))
        if not rs:
            continue
        order = {"raw-s3": 0, "loopback": 1, "loopback-nopass": 2, "s3levelfs": 3}
        rs.sort(key=lambda r: (order.get(r["fs"], 9), r["fs"]))
        z = rs[-1]["sizes"]
        out.append(f"\n## Profile {prof} (" + ("no added latency" if prof == "fast" else "20 ms to first byte, 80 MB/s a connection") + f"), sizes {z}\n")
        out.append("| workload | " + " | ".join(r["fs"] for r in rs) + " |")
        out.append("|---|" + "---|" * len(rs))
        for label, w, field, unit in ROWS:
            vals = []
            for r in rs:
                x = r["results"].get(w)
                if x is None:
                    vals.append((None, ""))
                elif "error" in x:
                    e = x["error"]
                    vals.append((None, "CORRUPT" if "CORRUPT" in e or "pages differ" in e else re.sub(r"^timeout ([\d.]+) s, (\d+) done.*", r">\1 s, \2 done", e, flags=re.S)[:30] if e.startswith("timeout") else "fails"))
                else:
                    v = x.get(field)
                    if v is None and unit == "mb" and w in r["results"]:
                        v = 0
                    if v is not None and unit == "MB/s":
                        v = r["sizes"]["big"] * 1.048576 / v
                    if v is not None and unit == "mb":
                        v /= 1e6
                    if v is not None and unit == "cpu":
                        v = v * 1024 / r["sizes"]["big"]
                    vals.append((v, "-"))
            peers = [v for (v, _), r in zip(vals, rs) if v is not None and r["fs"] not in LIMITS]
            best = (max(peers) if unit == "MB/s" else min(peers)) if peers else None
            cells = []
            for (v, e), r in zip(vals, rs):
                if v is None:
                    cells.append(e)
                    continue
                s = f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}" if v >= 1 else f"{v:.3f}"
                if r["fs"] not in LIMITS and best:
                    q = best / v if unit == "MB/s" and v else v / best
                    s += " **best**" if v == best else f" ({q:.1f}x)"
                cells.append(s)
            u = {"mb": "", "ms": "", "cpu": ""}.get(unit, f" [{unit}]")
            out.append(f"| {label}{u} | " + " | ".join(cells) + " |")
        out.append(f"\n### S3 requests, profile {prof}\n")
        out.append("Total, then by operation: " + ", ".join(f"{v} {k}" for k, v in SHORT.items()) + "; e = answered 4xx/5xx; x = most in flight at once.\n")
        out.append("| workload | " + " | ".join(r["fs"] for r in rs if not r["fs"].startswith("loopback")) + " |")
        out.append("|---|" + "---|" * sum(not r["fs"].startswith("loopback") for r in rs))
        for w in REQ:
            cells = []
            for r in rs:
                if r["fs"].startswith("loopback"):
                    continue
                x = r["results"].get(w, {})
                o = x.get("ops") or {}
                s = f"{sum(o.values())}: " + " ".join(f"{SHORT.get(k, k)}{v}" for k, v in sorted(o.items(), key=lambda t: -t[1]))[:60]
                if x.get("errors"):
                    s += f" e{sum(x['errors'].values())}"
                if x.get("max_inflight"):
                    s += f" x{x['max_inflight']}"
                cells.append(s if o else "0" if x else "")
            out.append(f"| {w} | " + " | ".join(cells) + " |")
        errs = [(r["fs"], w, x["error"]) for r in rs for w, x in r["results"].items() if isinstance(x, dict) and "error" in x]
        errs += [(r["fs"], "mount", e) for r in rs for e in r["results"].get("mount_errors", [])]
        if errs:
            out.append(f"\n### Failures, profile {prof}\n")
            out += [f"- {f} / {w}: {e[:300]}" for f, w, e in errs]
        noisy = [(r["fs"], w, x["foreign_cpu"]) for r in rs for w, x in r["results"].items() if isinstance(x, dict) and x.get("foreign_cpu", 0) > 0.2]
        if noisy:
            out.append("\nNoisy (CPUs used by something outside the benchmark): " + ", ".join(f"{f}/{w} {c}" for f, w, c in noisy))
        out.append("\nVersions: " + "; ".join(f"{r['fs']}: {r['version']} ({r['date']}, {r['took_s']} s)" for r in rs))
    t = "\n".join(out) + "\n"
    with open(a.results + "/table.md", "w") as f:
        f.write(t)
    print(t)


def main():
    if len(sys.argv) > 3 and sys.argv[1] == "_op":
        return op_main(sys.argv[2], sys.argv[3])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["run", "table"])
    p.add_argument("--config", default=HERE + "/fs.json")
    p.add_argument("--fs", help="names from the config, comma separated (default: all that are not off)")
    p.add_argument("--profile", default="fast,lat")
    p.add_argument("--only", help="workloads, comma separated")
    p.add_argument("--scale", default="std", choices=list(SCALES))
    p.add_argument("--results", default=HERE + "/results")
    p.add_argument("--timeout", type=float, default=60, help="seconds for one workload")
    p.add_argument("--durable", type=float, default=20, help="seconds to wait for lazily written data")
    p.add_argument("--quiet", type=float, default=10, help="seconds to wait, before each workload, for the machine to be idle")
    p.add_argument("--passes", type=int, default=2, help="run workloads again, at most so many passes in all, that something else on the machine disturbed")
    p.add_argument("--best", type=int, default=1, help="run each workload so many times and keep the fastest run of each")
    p.add_argument("--disk", default="/var/tmp", help="where the filesystems keep caches, spools and temporary files: a directory on a disk")
    p.add_argument("--tmpfs", default="8g")
    p.add_argument("--port", type=int, default=7570)
    p.add_argument("--keep-logs", default="/tmp/fsbench-logs")
    p.add_argument("--server", default=os.environ.get("BENCH_SERVER", "versitygw --port {addr} --access {key} --secret {secret} --keep-alive --quiet posix {data}"))
    p.add_argument("--proxy", default=os.environ.get("BENCH_BIN", os.path.join(HERE, "bin")) + "/latency-proxy")
    p.add_argument("--raw", default=os.environ.get("BENCH_BIN", os.path.join(HERE, "bin")) + "/rawlimit")
    a = p.parse_args()
    {"run": main_run, "table": main_table}[a.what](a)


if __name__ == "__main__":
    main()
