"""What the tests of the whole server share: a server in a folder, a load with its journal, a check against it.

Standard library only, Debian's python3. The tools under test come from the environment, set by CTest:
  CAIRN_BINARY, CAIRN_LOAD   the server and the load generator (default: those of build/ci or build/release)
  DICOM_TEST_DATA_DIR        real DICOM files; else CAIRN_TEST_DATA_DIR, what the build was configured with
"""
import concurrent.futures
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
SKIPPED = 77  # CTest's SKIP_RETURN_CODE


def tool(variable, path):
    named = os.environ.get(variable)
    if named:
        return named
    for preset in ('ci', 'release', 'dev'):
        found = os.path.join(ROOT, 'build', preset, path)
        if os.path.exists(found):
            return found
    sys.exit(f'{variable} is not set and no {path} is built')


def cairn():
    return tool('CAIRN_BINARY', 'engine/app/cairn')


def cairn_load():
    return tool('CAIRN_LOAD', 'bench/load/cairn_load')


def data_folder():
    folder = os.environ.get('DICOM_TEST_DATA_DIR') or os.environ.get('CAIRN_TEST_DATA_DIR') or os.path.join(ROOT, '..', 'shared', 'data')
    return folder if os.path.isdir(folder) else None


def skip(why):
    print(f'SKIPPED: {why}', flush=True)
    sys.exit(SKIPPED)


def log(*words):
    print(time.strftime('%H:%M:%S'), *words, flush=True)


class Failure(AssertionError):
    """A broken promise of the server; the message says which."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


# ---- the server ----------------------------------------------------------------------------------------------------

# Small enough for test file systems; a test overrides what it is about.
SMALL = {
    'archive': {'log_level': 'info'},
    'dicom': {},
    'http': {},
    'store': {'segment_mib': 32, 'reserve_mib': 8, 'prewritten_mib': 64, 'prewrite_mib_per_s': 400, 'read_cache_mib': 64},
    'index': {'unpersisted_records': 2000, 'unpersisted_mib': 4},
    'volumes': {'cache_mib': 512},
    'codec': {},
}


def toml(settings):
    """A list of dictionaries becomes an array of tables."""
    lines, tables = [], []
    for section, keys in settings.items():
        lines.append(f'[{section}]')
        for k, v in keys.items():
            if isinstance(v, list) and v and isinstance(v[0], dict):
                for item in v:
                    tables += [f'[[{section}.{k}]]'] + [f'{name} = {json.dumps(value)}' for name, value in item.items()]
            else:
                lines.append(f'{k} = {json.dumps(v)}')
    return '\n'.join(lines + tables) + '\n'


class Server:
    """A `cairn serve` on `data`, on free ports, its log in a file beside it."""

    def __init__(self, data, settings=None, work=None, environment=None):
        self.data = data
        self.work = work or tempfile.mkdtemp(prefix='cairn_test_')
        self.environment = {**os.environ, **(environment or {})}
        merged = {section: {**keys, **((settings or {}).get(section) or {})} for section, keys in SMALL.items()}
        self.config = os.path.join(self.work, 'cairn.toml')
        with open(self.config, 'w') as f:
            f.write(toml(merged))
        self.log_path = os.path.join(self.work, 'server.log')
        self.process = None
        self.dicom = self.http = 0
        self.starts = []

    def start(self, seconds=60):
        begun = time.monotonic()
        with open(self.log_path, 'ab') as errors:
            self.process = subprocess.Popen(
                [cairn(), 'serve', '--config', self.config, '--data', self.data, '--dicom-port', '0', '--http-port', '0'],
                stdout=subprocess.PIPE, stderr=errors, env=self.environment)
        lines = []
        ready = threading.Event()

        def read():
            for line in self.process.stdout:
                lines.append(line.decode(errors='replace'))
                if re.match(r'ready dicom=', lines[-1]):
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(seconds):
            self.kill()
            raise Failure(f'no ready line within {seconds} s\n{self.log_tail()}')
        found = re.search(r'ready dicom=\S*?:(\d+) http=\S*?:(\d+)', ''.join(lines))
        expect(found, f'the server ended before it was ready\n{"".join(lines)}{self.log_tail()}')
        self.dicom, self.http = int(found[1]), int(found[2])
        self.starts.append(time.monotonic() - begun)
        status, _ = self.get('/healthz')
        expect(status == 200, f'/healthz answers {status} after the ready line')
        return self

    def kill(self):
        """kill -9 and wait until the kernel has taken it down."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def stop(self, seconds=60):
        """SIGTERM; the exit status must be 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f'still running {seconds} s after SIGTERM\n{self.log_tail()}') from None
        expect(code == 0, f'exit status {code} after SIGTERM\n{self.log_tail()}')

    def running(self):
        return self.process is not None and self.process.poll() is None

    def command(self, *arguments, seconds=300):
        """Runs another command on the same data: `cairn verify` and so on. Returns (exit status, output)."""
        done = subprocess.run([cairn(), *arguments, '--config', self.config, '--data', self.data],
                              capture_output=True, text=True, errors='replace', timeout=seconds, env=self.environment)
        return done.returncode, done.stdout + done.stderr

    def get(self, path, accept='*/*', seconds=60):
        return self.ask('GET', path, accept, seconds)

    def ask(self, method, path, accept='*/*', seconds=60):
        """(status, body); status 0 when the connection broke."""
        try:
            c = http.client.HTTPConnection('127.0.0.1', self.http, timeout=seconds)
            c.request(method, path, headers={'Accept': accept})
            r = c.getresponse()
            body = r.read()
            self.last_type = r.getheader('Content-Type') or ''
            c.close()
            return r.status, body
        except (OSError, http.client.HTTPException):
            return 0, b''

    def log_tail(self, lines=40):
        try:
            with open(self.log_path, errors='replace') as f:
                return ''.join(f.readlines()[-lines:])
        except OSError:
            return ''


# ---- DICOMweb ------------------------------------------------------------------------------------------------------

STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def parts(content_type, body):
    """The parts of a multipart/related body, as bytes; raises Failure when it is none or cut short."""
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    expect(found, f'no boundary in {content_type!r}')
    mark = b'--' + found[1].encode()
    pieces = (b'\r\n' + body).split(b'\r\n' + mark)
    expect(len(pieces) >= 2 and pieces[-1].startswith(b'--'), 'multipart body without its closing boundary')
    out = []
    for piece in pieces[1:-1]:
        head, separator, content = piece.partition(b'\r\n\r\n')
        expect(separator, 'part without header')
        out.append(content)
    return out


def data_set_of(stream):
    """(transfer syntax, data set bytes) of a Part 10 stream."""
    expect(stream[128:132] == b'DICM', 'no Part 10 stream')
    at, syntax = 132, None
    while struct.unpack_from('<H', stream, at)[0] == 2:
        element, vr, length, head = struct.unpack_from('<H', stream, at + 2)[0], stream[at + 4:at + 6], struct.unpack_from('<H', stream, at + 6)[0], 8
        if vr in (b'OB', b'OW', b'UN', b'UT', b'SQ'):
            length, head = struct.unpack_from('<I', stream, at + 8)[0], 12
        if element == 0x10:
            syntax = stream[at + head:at + head + length].rstrip(b'\0 ').decode()
        at += head + length
        if at + 2 > len(stream):
            break
    return syntax, stream[at:]


def retrieve(server, study, series, sop):
    """(status, Part 10 bytes or None) by WADO-RS. When the connection breaks, a text that says how is the status."""
    c = http.client.HTTPConnection('127.0.0.1', server.http, timeout=120)
    try:
        c.request('GET', f'/dicom-web/studies/{study}/series/{series}/instances/{sop}', headers={'Accept': STORED})
        r = c.getresponse()
        body = r.read()
        if r.status != 200:
            return r.status, None
        found = parts(r.getheader('Content-Type') or '', body)
        expect(len(found) == 1, f'{len(found)} parts for one instance')
        return 200, found[0]
    except (OSError, http.client.HTTPException) as fault:
        return f'none ({fault!r})', None
    finally:
        c.close()


# ---- load and what it was promised -----------------------------------------------------------------------------------

class Load:
    """A running cairn_load that writes the expected-state file `journal`."""

    def __init__(self, server, journal, kind='ct', associations=4, window=1, count=0, seconds=0, seed=1, first=0, rate=0):
        self.arguments = [cairn_load(), '--port', str(server.dicom), '--kind', kind, '--associations', str(associations),
                          '--window', str(window), '--seed', str(seed), '--first', str(first), '--journal', journal]
        for option, value in (('--count', count), ('--seconds', seconds), ('--rate', rate)):
            if value:
                self.arguments += [option, str(value)]
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait(self, seconds=600):
        out, err = self.process.communicate(timeout=seconds)
        try:
            return json.loads(out.strip().splitlines()[-1])
        except (IndexError, ValueError):
            return {'stored': 0, 'failed': 0, 'statuses': {}, 'errors': [err.strip()]}


class Journal:
    """What was sent and what was acknowledged: see bench/load/journal.h."""

    def __init__(self, path):
        self.path = path
        self.sent, self.answers = {}, {}
        self.offset = 0
        self.read()

    def read(self):
        """Takes in the lines written since the last call. Returns the instances acknowledged by them."""
        new = []
        if not os.path.exists(self.path):
            return new
        with open(self.path) as f:
            f.seek(self.offset)
            for line in f:
                if not line.endswith('\n'):
                    break  # the sender was killed in mid-line: nothing was claimed by it
                self.offset += len(line)
                words = line.split()
                if words[0] == 'S':
                    self.sent[words[1]] = (words[2], words[3], words[4], int(words[5]), words[6])
                elif words[0] == 'A':
                    self.answers[words[1]] = words[2]
                    if words[2] == '0000':
                        new.append(words[1])
        return new

    def acknowledged(self):
        return [sop for sop, status in self.answers.items() if status == '0000']

    def unanswered(self):
        return [sop for sop in self.sent if self.answers.get(sop) != '0000']


def check_instance(server, journal, sop, must_exist):
    """None when all is well, else what is wrong."""
    study, series, syntax, length, digest = journal.sent[sop]
    status, stream = retrieve(server, study, series, sop)
    if stream is None:
        return f'acknowledged instance {sop} is not served: HTTP {status}' if must_exist else (
            None if status == 404 else f'unacknowledged instance {sop} answers HTTP {status}')
    got_syntax, data = data_set_of(stream)
    if got_syntax != syntax or len(data) != length or hashlib.sha256(data).hexdigest() != digest:
        word = 'acknowledged' if must_exist else 'unacknowledged'
        return f'{word} instance {sop} came back altered ({len(data)} bytes of {length}, {got_syntax})'
    return None


def check(server, journal, acknowledged=None, unanswered=None, workers=6):
    """Every acknowledged instance is there bit for bit; what was not acknowledged is whole or absent. Returns faults."""
    jobs = [(sop, True) for sop in (journal.acknowledged() if acknowledged is None else acknowledged)]
    jobs += [(sop, False) for sop in (journal.unanswered() if unanswered is None else unanswered)]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return [fault for fault in pool.map(lambda job: check_instance(server, journal, *job), jobs) if fault]


def report(faults, limit=10):
    for fault in faults[:limit]:
        log('  ', fault)
    if len(faults) > limit:
        log(f'   … and {len(faults) - limit} more')


# ---- places --------------------------------------------------------------------------------------------------------

def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def needs_root():
    if os.geteuid() != 0:
        skip('mounting needs root')


class LoopMount:
    """A journaled ext4 in a file, mounted; can be shut down as by a power cut."""
    EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
    NO_LOG_FLUSH = 2

    def __init__(self, work, mib, name='disk'):
        needs_root()
        self.image = os.path.join(work, name + '.img')
        self.path = os.path.join(work, name)
        os.makedirs(self.path, exist_ok=True)
        # Written, not sparse: a hole in the image would make writes inside it allocate outside.
        subprocess.run(['dd', 'if=/dev/zero', f'of={self.image}', 'bs=1M', f'count={mib}', 'status=none'], check=True)
        subprocess.run(['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard', self.image], check=True)
        self.mounted = False
        self.mount()

    def mount(self):
        done = run('mount', '-o', 'loop,nodiscard', self.image, self.path)
        if done.returncode != 0:
            skip(f'no loop mount here: {done.stderr.strip()}')
        self.mounted = True

    def power_cut(self):
        """The file system stops where it is: the journal is not flushed, every later write fails."""
        import fcntl
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, self.EXT4_IOC_SHUTDOWN, struct.pack('I', self.NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        for _ in range(100):
            if not self.mounted or run('umount', self.path).returncode == 0:
                self.mounted = False
                return
            time.sleep(.1)
        raise Failure(f'{self.path} stays busy')

    def remove(self):
        self.unmount()
        os.unlink(self.image)


class ForgetfulMount:
    """forgetful_fs over a folder: see tests/crash/process/forgetful_fs.cpp."""

    def __init__(self, work, program):
        if not os.path.exists('/dev/fuse'):
            skip('no /dev/fuse')
        if not program or not os.path.exists(program):
            skip('forgetful_fs is not built: libfuse3-dev is missing')
        self.backing = os.path.join(work, 'forgetful_backing')
        self.path = os.path.join(work, 'forgetful')
        os.makedirs(self.backing, exist_ok=True)
        os.makedirs(self.path, exist_ok=True)
        self.process = subprocess.Popen([program, self.backing, self.path], stderr=subprocess.PIPE, text=True)
        for _ in range(100):
            if os.path.ismount(self.path):
                return
            if self.process.poll() is not None:
                skip(f'FUSE does not mount here: {self.process.stderr.read().strip()}')
            time.sleep(.05)
        skip('FUSE does not mount here')

    def say(self, command):
        with open(os.path.join(self.path, '.control'), 'w') as f:
            f.write(command)

    def remove(self):
        for _ in range(50):
            if run('fusermount3', '-u', self.path).returncode == 0 or not os.path.ismount(self.path):
                break
            time.sleep(.1)
        self.process.wait(10)


class Workspace:
    """A folder for one test, below BENCH_DIR or TMPDIR; kept when the test fails, its path printed."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix=f'cairn_{name}_', dir=os.environ.get('CAIRN_TEST_DIR') or None)
        self.undo = []

    def __enter__(self):
        return self

    def later(self, action):
        self.undo.append(action)
        return action

    def __exit__(self, kind, value, trace):
        for action in reversed(self.undo):
            try:
                action()
            except Exception as fault:  # the cause of the test's failure must not be hidden by its clean-up
                log(f'clean-up: {fault}')
        if kind is None or kind is SystemExit:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            log(f'kept for inspection: {self.path}')
        return False


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def seeded(argument):
    """A random generator whose seed is printed, so that a run can be had again."""
    seed = argument if argument is not None else random.SystemRandom().randrange(1 << 31)
    log(f'seed {seed}')
    return random.Random(seed), seed
