"""The servers that the benchmarks compare, how load is sent to them, and what a bare log does with the same bytes.

Used by the scripts beside it; each run starts a server on an empty folder and says what it has made durable when it answers.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'harness'))
import cairn_harness as h  # noqa: E402

TICK = os.sysconf('SC_CLK_TCK')
RECORD = {'ct': 540672, 'mr': 139264, 'tiny': 4096}  # of the bare log: an object and a header, in whole blocks


# ---- the command line ----------------------------------------------------------------------------------------------

def arguments(description):
    """A parser with what every benchmark takes; begin() acts on it."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--dir', default=os.environ.get('BENCH_DIR'), help='where servers keep their data (default: BENCH_DIR, else a temporary folder)')
    p.add_argument('--loop', type=int, metavar='MIB', help='make a journaled ext4 of this size in a file below --dir and work there')
    p.add_argument('--nice', type=int, default=0, help='priority of servers and clients')
    p.add_argument('--out', help='append a JSON line per measurement')
    p.add_argument('--smoke', action='store_true', help='a miniature, for CI')
    return p


@contextlib.contextmanager
def begin(a, name):
    """The folder to work in, which goes at the end."""
    if a.nice:
        os.nice(a.nice)
    if a.smoke:
        Cairn.settings = {'store': {'segment_mib': 32, 'prewritten_mib': 64, 'reserve_mib': 8, 'read_cache_mib': 64},
                          'index': {'unpersisted_records': 2000, 'unpersisted_mib': 4}}
    with h.Workspace(name) as w:
        folder = os.path.join(a.dir, 'cairn_bench') if a.dir else w.path
        os.makedirs(folder, exist_ok=True)
        if a.loop:
            disk = DirectLoop(folder, a.loop)
            w.later(disk.remove)
            folder = disk.path
        yield folder


# ---- processes -----------------------------------------------------------------------------------------------------

def descendants(root):
    """{pid: (own ticks, ticks of reaped children)} of `root` and everything below it."""
    parent, ticks = {}, {}
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/stat') as f:
                fields = f.read().rpartition(')')[2].split()
        except OSError:
            continue
        parent[int(name)] = int(fields[1])
        ticks[int(name)] = sum(int(t) for t in fields[11:15])
    family, grown = {root}, True
    while grown:
        grown = False
        for pid, above in parent.items():
            if above in family and pid not in family:
                family.add(pid)
                grown = True
    return {pid: ticks[pid] for pid in family if pid in ticks}


def cpu_seconds(pid):
    return sum(descendants(pid).values()) / TICK


def status_mib(pid, key):
    try:
        with open(f'/proc/{pid}/status') as f:
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith(key + ':'))
    except (OSError, StopIteration):
        return 0.0


def io_bytes(pid, key):
    try:
        with open(f'/proc/{pid}/io') as f:
            return next(int(line.split()[1]) for line in f if line.startswith(key + ':'))
    except (OSError, StopIteration):
        return 0


# ---- servers -------------------------------------------------------------------------------------------------------

class Peer:
    name = durable = ''
    program = ''
    called = 'ANY'
    sink = None  # port of the AE title SINK, where C-MOVE may send
    share = 1  # gets this part of the instances of a comparison

    def __init__(self, as_shipped):
        self.environment = dict(os.environ) if as_shipped else {**os.environ, 'TCP_NODELAY': '1'}

    def available(self):
        return shutil.which(self.program) is not None

    def version(self):
        text = subprocess.run([self.program, '--version'], capture_output=True, text=True).stdout
        found = re.search(r'v?(\d+\.\d+[\w.+-]*)', text)
        return found[1] if found else '?'

    def command(self, folder):
        raise NotImplementedError

    def start(self, folder):
        self.folder, self.dicom = folder, h.free_port()
        os.makedirs(folder, exist_ok=True)
        with open(folder + '.log', 'wb') as out:
            self.process = subprocess.Popen(self.command(folder), stdout=out, stderr=out, env=self.environment, cwd=folder)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.dicom), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(folder + '.log', errors='replace') as f:
                        sys.exit(f'{self.name} does not start:\n{f.read()[-2000:]}')
                time.sleep(.05)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def settled(self):
        pass


class Storescp(Peer):
    name, program, durable = 'storescp', 'storescp', 'nothing (page cache)'

    def command(self, folder):
        return ['storescp', '--fork', '-od', folder, str(self.dicom)]


class Dcmqrscp(Peer):
    name, program, durable, called = 'dcmqrscp', 'dcmqrscp', 'nothing (page cache)', 'BENCH'

    def command(self, folder):
        store = os.path.join(folder, 'store')
        os.makedirs(store, exist_ok=True)
        with open(os.path.join(folder, 'dcmqrscp.cfg'), 'w') as f:
            f.write(f'NetworkTCPPort = {self.dicom}\nMaxPDUSize = 16384\nMaxAssociations = 64\nHostTable BEGIN\n'
                    f'{f"sink = (SINK, 127.0.0.1, {self.sink})" if self.sink else ""}\nHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\nBENCH {store} RW (500, 1024gb) ANY\nAETable END\n')
        return ['dcmqrscp', '-c', os.path.join(folder, 'dcmqrscp.cfg')]


class Orthanc(Peer):
    """With a thread for each association: as shipped four serve, and a fifth association waits until it gives up."""
    name, program, durable, called = 'orthanc', 'Orthanc', 'the object; its index not', 'ORTHANC'
    share = 8  # slow, and no faster for being asked for long

    plugins = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so'

    def command(self, folder):
        self.http = h.free_port()
        with open(os.path.join(folder, 'orthanc.json'), 'w') as f:
            json.dump({'StorageDirectory': os.path.join(folder, 'storage'), 'IndexDirectory': os.path.join(folder, 'index'),
                       'HttpPort': self.http, 'DicomPort': self.dicom, 'DicomAet': 'ORTHANC', 'RemoteAccessAllowed': False,
                       'DicomAlwaysAllowStore': True, 'DicomAlwaysAllowFind': True, 'DicomAlwaysAllowGet': True, 'DicomAlwaysAllowMove': True, 'DicomThreadsCount': 16,
                       'DicomModalities': {'sink': ['SINK', '127.0.0.1', self.sink]} if self.sink else {},
                       'Plugins': [p for p in [self.plugins] if os.path.exists(p)]}, f)
        return ['Orthanc', os.path.join(folder, 'orthanc.json')]


class Sink(Peer):
    name, durable, called = 'null sink', 'discards everything', 'SINK'

    def available(self):
        return True

    def version(self):
        return 'cairn_load --sink'

    def command(self, folder):
        return [h.cairn_load(), '--sink', str(self.dicom)]


class Cairn(Peer):
    name, durable, called = 'cairn', 'object and index', 'CAIRN'
    settings = {'store': {'segment_mib': 512, 'prewritten_mib': 4096, 'prewrite_mib_per_s': 400, 'reserve_mib': 256, 'read_cache_mib': 512},
                'index': {'unpersisted_records': 30000, 'unpersisted_mib': 128}}

    def available(self):
        return os.path.exists(h.cairn())

    def version(self):
        return subprocess.run([h.cairn(), '--version'], capture_output=True, text=True).stdout.strip()

    def start(self, folder):
        self.folder = folder
        os.makedirs(folder + '.work', exist_ok=True)
        settings = dict(self.settings)
        if self.sink:
            settings['dicom'] = {'remote': [{'ae_title': 'SINK', 'host': '127.0.0.1', 'port': self.sink}]}
        self.server = h.Server(folder, settings, work=folder + '.work', environment=self.environment).start()
        self.dicom, self.http = self.server.dicom, self.server.http
        return self

    @property
    def pid(self):
        return self.server.process.pid

    def stats(self):
        status, body = self.server.get('/api/v1/stats')
        h.expect(status == 200, f'stats: HTTP {status}')
        return json.loads(body)

    def settled(self):
        """Waits until the stock of prewritten segments no longer grows, two minutes at most."""
        wanted = self.settings['store']['prewritten_mib'] // self.settings['store']['segment_mib']
        deadline, still, last = time.monotonic() + 120, time.monotonic(), -1
        while time.monotonic() < deadline:
            now = sum(v['prewritten'] for v in self.stats()['volumes'])
            if now >= wanted or (now == last and time.monotonic() - still > 5):
                return now
            if now != last:
                last, still = now, time.monotonic()
            time.sleep(.2)
        return last

    def stop(self):
        self.server.stop(120)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.folder + '.work', ignore_errors=True)


PEERS = {'cairn': Cairn, 'storescp': Storescp, 'dcmqrscp': Dcmqrscp, 'orthanc': Orthanc, 'sink': Sink}


# ---- one measurement -----------------------------------------------------------------------------------------------

def send(peer, kind, associations, count=0, window=1, seed=1, delayed_ack=False, rate=0, seconds=0, idle=0, extra=()):
    command = [h.cairn_load(), '--port', str(peer.dicom), '--called', peer.called, '--kind', kind, '--associations', str(associations),
               '--window', str(window), '--seed', str(seed), *extra]
    for option, value in (('--count', count), ('--rate', rate), ('--seconds', seconds), ('--idle', idle)):
        if value:
            command += [option, str(value)]
    if delayed_ack:
        command.append('--delayed-ack')
    before, written = cpu_seconds(peer.pid), io_bytes(peer.pid, 'write_bytes')
    done = subprocess.run(command, capture_output=True, text=True, env=peer.environment)
    used = cpu_seconds(peer.pid) - before
    try:
        r = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f'cairn_load: {done.stderr}')
    gigabytes = max(r['bytes'], 1) / 1e9
    return {'load': kind, 'window': window, 'server': peer.name, 'associations': associations, 'instances_per_s': r['instances_per_s'],
            'mb_per_s': r['mb_per_s'], 'cpu_s_per_gb': used / gigabytes, 'p50_ms': r['p50_ms'], 'p99_ms': r['p99_ms'], 'service_p50_ms': r['service_p50_ms'],
            'service_p99_ms': r['service_p99_ms'], 'failed': r['failed'], 'stored': r['stored'], 'bytes': r['bytes'], 'client_cpu_s_per_gb': r['client_cpu_s'] / gigabytes,
            'written_per_byte': (io_bytes(peer.pid, 'write_bytes') - written) / max(r['bytes'], 1),
            'rss_mib': status_mib(peer.pid, 'VmHWM'), 'errors': r['errors'][:3]}


def ask(peer, *options, connections=1, seconds=2.0):
    """cairn_query's report, with the server's CPU milliseconds per answer."""
    port = peer.dicom if '--find' in options else peer.http
    before = cpu_seconds(peer.pid)
    done = subprocess.run([h.tool('CAIRN_QUERY', 'bench/load/cairn_query'), '--port', str(port), '--called', peer.called, '--connections', str(connections),
                           '--seconds', str(seconds), *options], capture_output=True, text=True)
    used = cpu_seconds(peer.pid) - before
    try:
        r = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f'cairn_query: {done.stderr}')
    return {**r, 'server': peer.name, 'cpu_ms': 1000 * used / max(1, r['answers']), 'errors': done.stderr.splitlines()[:3]}


def bare_log(folder, kind, count, every):
    program = h.tool('CAIRN_BARE_LOG', 'bench/load/cairn_bare_log')
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run([program, folder, str(count), str(RECORD[kind]), str(every)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f'cairn_bare_log: {done.stderr}')
    r = json.loads(done.stdout)
    return {'load': kind, 'window': 1, 'server': f'bare log, flush by {every}', 'associations': '', 'instances_per_s': r['instances_per_s'],
            'mb_per_s': r['mb_per_s'], 'cpu_s_per_gb': r['cpu_s_per_gb'], 'p50_ms': r['p50_ms'], 'p99_ms': r['p99_ms'],
            'flush_p99_ms': r['flush_p99_ms'], 'failed': 0, 'rss_mib': 0}


# ---- the machine ---------------------------------------------------------------------------------------------------

def conditions(as_shipped, folder, peers):
    with open('/proc/cpuinfo') as f:
        model = next((line.split(':')[1].strip() for line in f if line.startswith('model name')), '?')
    mount = subprocess.run(['findmnt', '-n', '-o', 'SOURCE,FSTYPE,OPTIONS', '-T', folder], capture_output=True, text=True).stdout.strip()
    device = os.path.basename(mount.split()[0]) if mount else ''
    journal = any(name.startswith(device + '-') for name in (os.listdir('/proc/fs/jbd2') if os.path.isdir('/proc/fs/jbd2') else []))
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30
    print(f'- machine: {os.cpu_count()} CPUs, {model}, {memory} GiB, Linux {os.uname().release}; server and client share it, over loopback')
    print(f'- storage: {mount}; ' + ('journaled' if journal else 'NO JOURNAL SEEN: flushes may be cheaper than in production'))
    print('- servers: ' + '; '.join(f'{p.name} {p.version()}' for p in peers))
    print(f'- clients: {"as shipped: Nagle and delayed acknowledgements" if as_shipped else "TCP_NODELAY=1 for all, our client acknowledges at once"}')
    if any(isinstance(p, Cairn) for p in peers):
        s = Cairn.settings['store']
        print(f'- cairn: segments of {s["segment_mib"]} MiB, {s["prewritten_mib"]} MiB prewritten before each run, the index tail bounded by '
              f'{Cairn.settings["index"]["unpersisted_records"]} records')
    sys.stdout.flush()


class DirectLoop(h.LoopMount):
    """A journaled ext4 in a file, written to past the page cache of the file system below."""

    def mount(self):
        device = h.run('losetup', '-f', '--show', '--direct-io=on', self.image)
        if device.returncode != 0:
            h.skip(f'no loop device: {device.stderr.strip()}')
        self.device = device.stdout.strip()
        done = h.run('mount', '-o', 'nodiscard', self.device, self.path)
        if done.returncode != 0:
            h.skip(f'no loop mount here: {done.stderr.strip()}')
        self.mounted = True

    def remove(self):
        self.unmount()
        h.run('losetup', '-d', self.device)
        os.unlink(self.image)
