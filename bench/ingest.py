#!/usr/bin/env python3
"""The same load against Cairn and against the storage servers of Debian, in one run, in turns.

    bench/ingest.py [--dir FOLDER | --loop MIB] [--servers cairn storescp dcmqrscp orthanc]
                    [--loads ct mr tiny] [--associations 1 4 8] [--runs 3] [--as-shipped] ...

Measured per run: instances/s, MB/s, server CPU seconds per GB (user and system, children included), p50 and p99 of a
store, failures, peak resident memory; and beside them a bare log, which stores the same bytes durably and does nothing else.
What each server has made durable when it answers is stated in the table. Each run starts a server on an empty folder;
Cairn is given the time to prewrite its ordinary stock first, whose size is stated.

The folder should lie on a journaled file system: without a journal a flush is cheaper than in production. --loop makes one
in a file (root). Debian's DCMTK leaves Nagle on and answers in two writes: by default peers get TCP_NODELAY=1 and a client
that acknowledges at once, their best case; --as-shipped is the ordinary one.

Further questions, each instead of the comparison: --clients (storescu and dcmsend as shipped), --sustained GB, --half-load,
--memory, --restart [--log GIB], --reindex, --grown INSTANCES. --smoke is everything in miniature, for CI. Results go to stdout as Markdown and, a JSON
line per run, to --out.
"""
import ctypes
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'harness'))
import cairn_harness as h  # noqa: E402

from servers import PEERS, Cairn, Storescp, arguments, bare_log, begin, conditions, cpu_seconds, io_bytes, send, status_mib  # noqa: E402

COUNTS = {'ct': 4000, 'mr': 8000, 'tiny': 30000}
BYTES = {'ct': 525000, 'mr': 131700, 'tiny': 4096}


# ---- tables --------------------------------------------------------------------------------------------------------

def figure(values, digits=3):
    """Median, and the span when there is more than one."""
    def short(v):
        return f'{v:,.0f}' if abs(v) >= 100 else f'{v:.{digits}g}'
    m = statistics.median(values)
    return short(m) if len(values) == 1 else f'{short(m)} ({short(min(values))}–{short(max(values))})'


def table(rows, durable):
    keys = []
    for r in rows:
        key = (r['load'], r['associations'], r['window'], r['server'])
        if key not in keys:
            keys.append(key)
    print('\n| load | assoc | window | server | instances/s | MB/s | server CPU s/GB | p50 ms | p99 ms | failed | peak RSS MiB | durable when answered |')
    print('|---|---|---|---|---|---|---|---|---|---|---|---|')
    for key in keys:
        same = [r for r in rows if (r['load'], r['associations'], r['window'], r['server']) == key]
        cells = [figure([r[c] for r in same]) for c in ('instances_per_s', 'mb_per_s', 'cpu_s_per_gb', 'p50_ms', 'p99_ms')]
        print(f'| {key[0]} | {key[1]} | {key[2]} | {key[3]} | ' + ' | '.join(cells) +
              f' | {figure([r["failed"] for r in same])} | {figure([r["rss_mib"] for r in same])} | {durable.get(key[3], "everything")} |')


def median(rows, **where):
    values = [r['instances_per_s'] for r in rows if all(r[k] == v for k, v in where.items())]
    return statistics.median(values) if values else None


def ratios(rows):
    """Cairn against the others, for what both did."""
    lines = []
    for load, associations, window in dict.fromkeys((r['load'], r['associations'], r['window']) for r in rows if r['server'] == 'cairn'):
        ours = median(rows, load=load, associations=associations, window=window, server='cairn')
        for other in dict.fromkeys(r['server'] for r in rows if r['server'] != 'cairn'):
            # A peer without a window, and a bare log, are compared with what they can do.
            theirs = median(rows, load=load, associations='' if other.startswith('bare') else associations, window=1, server=other)
            if ours and theirs:
                lines.append(f'| {load} | {associations} | {window} | {other} | {ours / theirs:.2f} |')
    if lines:
        print('\n| load | assoc | window | Cairn ÷ | ratio of instances/s |\n|---|---|---|---|---|')
        print('\n'.join(lines))


# ---- a long log on a small disk ------------------------------------------------------------------------------------

RECORD_MAGIC = b'CRRC'
PUNCH_HOLE_KEEP_SIZE = 3
KEPT_HEAD, KEPT_TAIL = 64 << 10, 16 << 10  # of a part: record header and data set header; the end, with the commit behind it


def punch_parts(path):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, 'r+b') as f:
        starts, at = [], 0
        while block := f.read(4096):
            if block.startswith(RECORD_MAGIC):
                starts.append(at)
            at += 4096
        for here, following in zip(starts, starts[1:]):
            length = following - here - KEPT_HEAD - KEPT_TAIL
            if length > 0:
                done = libc.fallocate(f.fileno(), PUNCH_HOLE_KEEP_SIZE, ctypes.c_int64(here + KEPT_HEAD), ctypes.c_int64(length))
                h.expect(done == 0, f'{path}: {os.strerror(ctypes.get_errno())}')


# ---- questions -----------------------------------------------------------------------------------------------------

class Bench:
    def __init__(self, a, folder):
        self.a, self.folder, self.rows = a, folder, []
        self.peers = [PEERS[n](a.as_shipped) for n in a.servers]
        for p in list(self.peers):
            if not p.available():
                print(f'- not installed, left out: {p.name}')
                self.peers.remove(p)
        self.durable = {p.name: p.durable for p in self.peers}

    def note(self, row, **more):
        row = {**row, **more, 'time': time.strftime('%H:%M:%S')}
        self.rows.append(row)
        print(f'  {row["time"]} {row["load"]} x{row["associations"]} window {row["window"]} {row["server"]}: {row["instances_per_s"]:.0f}/s '
              f'{row["cpu_s_per_gb"]:.3f} CPU s/GB p99 {row["p99_ms"]:.2f} ms failed {row["failed"]} {row.get("errors") or ""}', file=sys.stderr, flush=True)
        if self.a.out:
            with open(self.a.out, 'a') as f:
                f.write(json.dumps(row) + '\n')
        return row

    def fresh(self, peer):
        os.sync()
        peer.start(os.path.join(self.folder, 'run_' + peer.name.replace(', ', '_').replace(' ', '_')))
        peer.settled()
        return peer

    def once(self, peer, *arguments, **more):
        self.fresh(peer)
        try:
            return self.note(send(peer, *arguments, **more))
        finally:
            peer.stop()

    def comparison(self):
        a = self.a
        for run in range(a.runs):
            for load in a.loads:
                count = a.count or COUNTS[load]
                for associations in a.associations:
                    for peer in self.peers:
                        self.once(peer, load, associations, count=min(count, 200 * associations) if a.as_shipped else count // peer.share, seed=run + 1, delayed_ack=a.as_shipped)
                        if isinstance(peer, Cairn) and a.window > 1 and load == 'tiny':
                            self.once(peer, load, associations, count=count * 2, window=a.window, seed=run + 1)
                for every in (1, 16) if load != 'tiny' else (1, 16, 256):
                    self.note(bare_log(self.folder, load, min(count, 500 if every == 1 else 4000), every))
        table(self.rows, self.durable)
        ratios(self.rows)

    def clients(self):
        """Ordinary senders, nothing in their environment: the stall of 40 ms per instance, or its absence."""
        a, count = self.a, self.a.count or 200
        files = os.path.join(self.folder, 'files')
        writer = Storescp(False).start(files)
        send(writer, 'ct', 1, count=count, seed=99)
        names = sorted(os.path.join(files, f) for f in os.listdir(files))
        plain = {k: v for k, v in os.environ.items() if k != 'TCP_NODELAY'}
        for run in range(a.runs):
            for program in ('storescu', 'dcmsend'):
                for peer in self.peers:
                    peer.environment = plain
                    self.fresh(peer)
                    try:
                        before, begun = cpu_seconds(peer.pid), time.monotonic()
                        done = subprocess.run([program, '-aec', peer.called, '127.0.0.1', str(peer.dicom), *names], capture_output=True, text=True, env=plain)
                        wall = time.monotonic() - begun
                        size = sum(os.path.getsize(f) for f in names)
                        self.note({'load': f'ct by {program}', 'window': 1, 'server': peer.name, 'associations': 1, 'instances_per_s': count / wall,
                                   'mb_per_s': size / 1e6 / wall, 'cpu_s_per_gb': (cpu_seconds(peer.pid) - before) / (size / 1e9), 'p50_ms': wall / count * 1000,
                                   'p99_ms': 0, 'failed': done.returncode, 'rss_mib': status_mib(peer.pid, 'VmHWM')})
                    finally:
                        peer.stop()
        writer.stop()
        print('\np50 is the mean here, `failed` the exit status of the client.')
        table(self.rows, self.durable)
        ratios(self.rows)

    def sustained(self):
        a = self.a
        for peer in self.peers:
            count = int(a.sustained * 1e9 / BYTES['ct'])
            if not isinstance(peer, Cairn):
                count = min(count, 10000)  # a peer's rate does not depend on how long; its disk space does
            row = self.once(peer, 'ct', 8, count=count, seed=5)
            print(f'- {peer.name}: {row["bytes"] / 1e9:.1f} GB without pause, {row["instances_per_s"]:.0f}/s, {row["cpu_s_per_gb"]:.3f} CPU s/GB, '
                  f'{row["written_per_byte"]:.2f} bytes written per byte stored, p99 {row["p99_ms"]:.2f} ms', flush=True)
        self.note(bare_log(self.folder, 'ct', 4000, 16))
        table(self.rows, self.durable)
        ratios(self.rows)

    def half_load(self):
        """In rounds of store and bare log, because one hiccup of the device decides a p99. A store's time counts from when it was sent,
        as the bare log's does; from when it was due, one hiccup delays all that were due meanwhile, and that is told beside it."""
        for load in self.a.loads:
            for peer in self.peers:
                full = self.once(peer, load, 8, count=self.a.count or COUNTS[load], seed=1)
                self.fresh(peer)
                halves, bares = [], []
                try:
                    for n in range(self.a.runs):
                        halves.append(self.note(send(peer, load, 8, rate=full['instances_per_s'] / 2, seconds=self.a.seconds, seed=n + 2), load=load + ', half load'))
                        bares.append(self.note(bare_log(self.folder, load, 1000, 1)))
                finally:
                    peer.stop()
                def middle(rows, key):
                    return statistics.median(r[key] for r in rows)
                store, write, flush = middle(halves, 'service_p99_ms'), middle(bares, 'p99_ms'), middle(bares, 'flush_p99_ms')
                print(f'- {peer.name}, {load}, medians of {self.a.runs}: full load {full["instances_per_s"]:.0f}/s p99 {full["p99_ms"]:.2f} ms; half load p50 '
                      f'{middle(halves, "service_p50_ms"):.2f} ms, p99 {store:.2f} ms ({middle(halves, "p99_ms"):.2f} from when it was due); bare log p99 {write:.2f} ms a write and '
                      f'its flush, {flush:.2f} ms the flush alone: ratios {store / write:.1f}, {store / flush:.1f}', flush=True)

    def memory(self):
        for peer in self.peers:
            self.fresh(peer)
            try:
                idle_rss = status_mib(peer.pid, 'VmRSS')
                busy = self.note(send(peer, 'ct', 8, count=self.a.count or 4000, idle=self.a.idle))
                busy_rss = status_mib(peer.pid, 'VmHWM')
                print(f'- {peer.name}: {idle_rss:.0f} MiB resident when idle, {busy_rss:.0f} MiB at most with 8 busy and {self.a.idle} idle associations '
                      f'({busy["failed"]} failed)', flush=True)
                with open(f'/proc/{peer.pid}/clear_refs', 'w') as f:
                    f.write('5')  # resets VmHWM
                huge = self.note(send(peer, 'huge', 1, count=1, extra=['--bytes', str(self.a.huge)]))
                print(f'- {peer.name}: {status_mib(peer.pid, "VmHWM"):.0f} MiB at most while one instance of {self.a.huge / 2**30:.1f} GiB streams in '
                      f'at {huge["mb_per_s"]:.0f} MB/s ({huge["failed"]} failed)', flush=True)
            finally:
                peer.stop()

    def restart(self):
        """Start after a kill with the index tail at its longest: fewer records than make the index persist itself."""
        peer = Cairn(False)
        self.fresh(peer)
        stored = self.fill_log(peer)
        times = []
        for run in range(self.a.runs):
            tail = self.kill_at_the_longest_tail(peer, run + 1)
            peer.server.start(120)
            peer.dicom = peer.server.dicom
            times.append(peer.server.starts[-1])
            print(f'- killed with {tail} records unpersisted: ready after {times[-1]:.2f} s', flush=True)
        print(f'- start after a kill, behind {stored / 2**30:.1f} GiB of older segments: {figure(times)} s')
        peer.stop()

    def kill_at_the_longest_tail(self, peer, seed):
        """Kills while tiny objects come in, when the unpersisted tail is about as long as it has been seen; its length."""
        load = threading.Thread(target=send, args=(peer, 'tiny', 8), kwargs={'count': self.a.count or 150000, 'window': 8, 'seed': seed})
        load.start()
        longest = tail = 0
        persists = 0
        while load.is_alive():
            marks = peer.stats()['watermarks']
            before, tail = tail, marks['applied'] - marks['persisted']
            persists += tail < before
            if persists >= 2 and tail >= 0.9 * longest:
                break
            longest = max(longest, tail)
            time.sleep(.01)
        peer.server.kill()
        load.join()
        return tail

    def fill_log(self, peer):
        """Real CT until the log is --log GiB long. Of sealed segments the middles of large parts are given back to the file system,
        so that a long log fits a small disk: headers, commits and footers stay as they were written."""
        stored, batch, punched = 0, 8000, set()
        while stored < self.a.log * 2**30:
            peer.settled()
            row = self.note(send(peer, 'ct', 8, count=batch, seed=100 + len(punched)))
            h.expect(row['failed'] == 0, f'stores failed: {row}')
            stored += row['bytes']
            segments = sorted(glob.glob(os.path.join(peer.folder, '**', 'seg-*.cairn'), recursive=True))
            for path in segments[:-2]:
                if path not in punched:
                    punch_parts(path)
                    punched.add(path)
        return stored

    def grown(self):
        """The rate and the latency of stores with an empty index and with --grown instances in it, each its own study."""
        peer = Cairn(False)
        self.fresh(peer)
        kinds, rows = ('ct', 'mr', 'tiny'), {}
        have = 0
        while True:
            for kind in kinds:
                peer.settled()
                time.sleep(5)  # compactions of the filling end
                row = self.note(send(peer, kind, 8, count=self.a.count or COUNTS[kind], seed=1000 + have), load=f'{kind}, {have:,} in the index')
                rows.setdefault(kind, []).append(row)
            if have >= self.a.grown:
                break
            while have < self.a.grown:
                step = min(200000, self.a.grown - have)
                row = self.note(send(peer, 'tiny', 8, count=step, window=8, seed=2000 + have), load=f'filling, {have:,}')
                h.expect(row['failed'] == 0, f'stores failed: {row}')
                have += step
        print(f'- counts: {peer.stats()["counts"]}')
        for kind, (empty, full) in rows.items():
            print(f'- {kind}: {empty["instances_per_s"]:.0f}/s p99 {empty["p99_ms"]:.2f} ms with an empty index, {full["instances_per_s"]:.0f}/s p99 {full["p99_ms"]:.2f} ms '
                  f'with {self.a.grown:,} instances: rate {empty["instances_per_s"] / full["instances_per_s"]:.2f} times less, p99 {full["p99_ms"] / empty["p99_ms"]:.2f} times longer', flush=True)
        peer.stop()

    def reindex(self):
        """The index built anew from the log alone, nothing of it in memory, for each kind of object by itself."""
        for load, factor in (('ct', 1), ('mr', 2), ('tiny', 10)):
            peer = self.fresh(Cairn(False))
            row = self.note(send(peer, load, 8, count=(self.a.count or 8000) * factor, window=8, seed=7))
            h.expect(row['failed'] == 0, f'stores failed: {row}')
            held = peer.stats()['counts']
            peer.server.stop(120)
            subprocess.run(['sync'])
            if os.geteuid() == 0:
                with open('/proc/sys/vm/drop_caches', 'w') as f:
                    f.write('3')
            begun = time.monotonic()
            process = subprocess.Popen([h.cairn(), 'reindex', '--config', peer.server.config, '--data', peer.folder], stdout=subprocess.DEVNULL)
            read = 0
            while process.poll() is None:
                read = max(read, io_bytes(process.pid, 'read_bytes'))
                time.sleep(.005)
            wall = time.monotonic() - begun
            h.expect(process.returncode == 0, f'reindex: exit status {process.returncode}')
            print(f'- reindex of {held["instances"]} {load} instances in {held["bytes"] / 1e9:.2f} GB: {wall:.2f} s, {held["instances"] / wall:,.0f} instances/s, '
                  f'{read / 1e6:.0f} MB read ({100 * read / held["bytes"]:.1f} % of what is stored)', flush=True)
            peer.server.start()
            peer.stop()


def main():
    p = arguments(__doc__)
    p.add_argument('--servers', nargs='+', choices=list(PEERS), default=['cairn', 'storescp', 'dcmqrscp', 'orthanc'])
    p.add_argument('--loads', nargs='+', choices=list(COUNTS), default=list(COUNTS))
    p.add_argument('--associations', nargs='+', type=int, default=[1, 4, 8])
    p.add_argument('--window', type=int, default=8, help='asynchronous window of the additional run with tiny objects against Cairn')
    p.add_argument('--count', type=int, default=0, help='instances per run (default: 4,000 CT, 8,000 MR, 30,000 tiny)')
    p.add_argument('--runs', type=int, default=3)
    p.add_argument('--seconds', type=float, default=5, help='of each half-load run')
    p.add_argument('--idle', type=int, default=500, help='silent associations of --memory')
    p.add_argument('--huge', type=int, default=6 << 30, help='bytes of the huge instance of --memory')
    for question in ('as-shipped', 'clients', 'half-load', 'memory', 'restart', 'reindex'):
        p.add_argument('--' + question, action='store_true')
    p.add_argument('--sustained', type=float, metavar='GB')
    p.add_argument('--grown', type=int, metavar='INSTANCES')
    p.add_argument('--log', type=float, default=0, metavar='GIB', help='of older segments in the log of --restart')
    a = p.parse_args()
    with begin(a, 'bench') as folder:
        if a.smoke:
            a.runs, a.associations, a.count, a.seconds, a.idle, a.huge = 1, [1, 2], 24, 1, 20, 64 << 20
        bench = Bench(a, folder)
        h.expect(bench.peers, 'none of the servers is installed')
        conditions(a.as_shipped, folder, bench.peers)
        if a.smoke:
            bench.comparison()
            bench.peers = [p for p in bench.peers if isinstance(p, Cairn)]
            a.loads = ['ct']
            for question in (bench.half_load, bench.memory, bench.restart, bench.reindex):
                question()
            h.expect(all(r['failed'] == 0 for r in bench.rows if r['server'] == 'cairn'), 'stores failed')
            if shutil.which('storescu'):
                bench.rows = []
                bench.clients()
            return
        questions = [q for q in ('clients', 'half_load', 'memory', 'restart', 'reindex', 'sustained', 'grown') if getattr(a, q)]
        for question in questions or ['comparison']:
            getattr(bench, question)()


if __name__ == '__main__':
    main()
