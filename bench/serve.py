#!/usr/bin/env python3
"""What is read: frames, pictures, metadata and whole series, from Cairn, from Orthanc, and from a bare sendfile loop, in one run.

    bench/serve.py [--dir FOLDER | --loop MIB] [--seconds 3] [--runs 3] [--connections 1 8] [--servers cairn orthanc dcmqrscp]
                   [--while-storing] [--cold] [--out FILE]

A CT series of 400 slices (210 MB) and a series of 3,000 small headers are stored first. Then, in turns: one stored frame of 512 KiB
over HTTP; the same rendered as JPEG and PNG; metadata; the series by C-GET (getscu --ignore), C-MOVE (to a sink that discards) and
WADO-RS as stored. Server CPU counts its children. --while-storing reads with eight connections while CT comes in by eight associations.
--cold drops the page cache before each whole series (root). --smoke is a miniature for CI.
"""
import http.client
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'harness'))
import cairn_harness as h  # noqa: E402

from servers import Cairn, Dcmqrscp, Orthanc, Sink, arguments, ask, begin, conditions, cpu_seconds, send, status_mib  # noqa: E402

FRAME = 'multipart/related; type="application/octet-stream"'
STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
HEADERS = 3000


class BareHttp:
    """Sends one file, whatever is asked for."""
    name, called = 'bare sendfile', 'ANY'

    def __init__(self, path):
        self.http = h.free_port()
        self.process = subprocess.Popen([h.tool('CAIRN_BARE_HTTP', 'bench/load/cairn_bare_http'), str(self.http), path])
        time.sleep(.2)
        self.pid = self.process.pid

    def stop(self):
        self.process.kill()
        self.process.wait()


def get_json(peer, path):
    c = http.client.HTTPConnection('127.0.0.1', peer.http, timeout=60)
    try:
        c.request('GET', path, headers={'Accept': 'application/dicom+json, application/json'})
        r = c.getresponse()
        body = r.read()
        h.expect(r.status == 200, f'{peer.name}: {path}: HTTP {r.status}')
        return json.loads(body)
    finally:
        c.close()


def value(match, tag):
    return match[tag]['Value'][0]


class Reads:
    def __init__(self, a, folder):
        self.a, self.folder, self.rows = a, folder, []

    def note(self, row):
        self.rows.append(row)
        print(f'  {row["what"]}, {row["server"]} x{row["connections"]}: p50 {row["p50_ms"]:.2f} p99 {row["p99_ms"]:.2f} ms, first byte {row.get("first_byte_p50_ms", 0):.2f}, '
              f'{row["per_s"]:,.0f}/s {row["mb_per_s"]:,.0f} MB/s, {row["cpu_ms"]:.2f} CPU ms', file=sys.stderr, flush=True)
        if self.a.out:
            with open(self.a.out, 'a') as f:
                f.write(json.dumps(row) + '\n')
        return row

    def web(self, peer, what, target, accept, connections=1, seconds=None):
        row = ask(peer, '--http', '--target', target, '--accept', accept, connections=connections, seconds=seconds or self.a.seconds)
        h.expect(row['failed'] == 0 and row['answers'] > 0, f'{peer.name} {what}: {row}')
        return self.note({**row, 'what': what, 'server': peer.name})

    def load(self, peer):
        """Stores both series; where they are."""
        for kind, count, extra in (('ct', self.a.slices, []), ('filed', self.a.headers, ['--study', str(self.a.headers)])):
            row = send(peer, kind, 1, count=count, seed=3, extra=extra)  # seed 3: the first filed study has one series
            h.expect(row['failed'] == 0 and not row['errors'], f'{peer.name}: {row}')

    def places(self, peer):
        root = '/dicom-web'
        series = get_json(peer, f'{root}/series?includefield=00201209')
        found = {}
        for s in series:
            study, uid = value(s, '0020000D'), value(s, '0020000E')
            instances = get_json(peer, f'{root}/studies/{study}/series/{uid}/instances?limit=5000')
            found[len(instances)] = (f'{root}/studies/{study}/series/{uid}', study, uid, [value(i, '00080018') for i in instances])
        h.expect(self.a.slices in found and self.a.headers in found, f'{peer.name}: series of {sorted(found)}')
        return found

    def over_http(self, peer, places):
        path, _, _, instances = places[self.a.slices]
        instance = f'{path}/instances/{instances[len(instances) // 2]}'
        for connections in self.a.connections:
            self.web(peer, 'stored frame', instance + '/frames/1', FRAME, connections)
            if isinstance(peer, Orthanc):
                ident = self.orthanc_id(peer, instances[len(instances) // 2])
                self.web(peer, 'stored file', f'/instances/{ident}/file', '*/*', connections)
        for title, kind in (('JPEG', 'image/jpeg'), ('PNG', 'image/png')):
            self.web(peer, f'rendered {title}', instance + '/frames/1/rendered', kind)
        self.web(peer, f'metadata of {self.a.slices}', path + '/metadata', 'application/dicom+json')
        self.web(peer, f'metadata of {self.a.headers}', places[self.a.headers][0] + '/metadata', 'application/dicom+json')

    def orthanc_id(self, peer, uid):
        c = http.client.HTTPConnection('127.0.0.1', peer.http, timeout=60)
        c.request('POST', '/tools/lookup', uid)
        return json.loads(c.getresponse().read())[0]['ID']

    def drop(self):
        if self.a.cold:
            subprocess.run(['sync'])
            with open('/proc/sys/vm/drop_caches', 'w') as f:
                f.write('3')

    def whole(self, peer, place):
        """The series by each door there is."""
        path, study, uid, instances = place
        size = self.a.slices * 525_000 / 1e9
        keys = ['-k', 'QueryRetrieveLevel=SERIES', '-k', f'StudyInstanceUID={study}', '-k', f'SeriesInstanceUID={uid}']
        doors = {'C-GET': ['getscu', '-v', '--ignore', '-aec', peer.called, '127.0.0.1', str(peer.dicom), *keys],
                 'C-MOVE': ['movescu', '-v', '-aec', peer.called, '-aem', 'SINK', '127.0.0.1', str(peer.dicom), *keys]}
        for door, command in doors.items():
            walls, cpus = [], []
            for _ in range(self.a.runs):
                self.drop()
                before, begun = cpu_seconds(peer.pid), time.monotonic()
                # What the client says of each instance goes into a file: a pipe would wake this script, on one of its CPUs, for each of its words.
                with open(os.path.join(self.folder, 'client.txt'), 'w+', errors='replace') as out:
                    done = subprocess.run(command, stdout=out, stderr=out, env=peer.environment)
                    walls.append(time.monotonic() - begun)
                    cpus.append(cpu_seconds(peer.pid) - before)
                    out.seek(0)
                    said = out.read()
                # Its exit status is 0 for failures too.
                h.expect(done.returncode == 0 and 'Success' in said, f'{peer.name}: {door}: {done.returncode}: {said[-500:]}')
            wall, cpu = statistics.median(walls), statistics.median(cpus)
            self.note({'what': f'series by {door}', 'server': peer.name, 'connections': 1, 'p50_ms': wall * 1000, 'p99_ms': max(walls) * 1000, 'per_s': 1 / wall,
                       'mb_per_s': 1000 * size / wall, 'cpu_ms': cpu * 1000, 'cpu_s_per_gb': cpu / size, 'rss_mib': status_mib(peer.pid, 'VmHWM')})
        if hasattr(peer, 'http'):
            for _ in range(self.a.runs if self.a.cold else 1):
                self.drop()
                row = self.web(peer, 'series by WADO-RS', path, STORED, seconds=.01 if self.a.cold else self.a.seconds)
                row['cpu_s_per_gb'] = row['cpu_ms'] / 1000 / size

    def while_storing(self, peer, place):
        instance = f'{place[0]}/instances/{place[3][0]}/frames/1'
        alone = send(peer, 'ct', 8, seconds=self.a.seconds, seed=500)
        idle = self.web(peer, 'stored frame, nothing stored meanwhile', instance, FRAME, 8)
        load = subprocess.Popen([h.cairn_load(), '--port', str(peer.dicom), '--kind', 'ct', '--associations', '8', '--seconds', str(self.a.seconds), '--seed', '501'],
                                stdout=subprocess.PIPE, text=True)
        busy = self.web(peer, 'stored frame, while CT comes in', instance, FRAME, 8, seconds=max(.1, self.a.seconds - .3))
        both = json.loads(load.communicate()[0].strip().splitlines()[-1])
        print(f'- {peer.name}: eight readers and eight senders: p99 of a frame {busy["p99_ms"] / max(idle["p99_ms"], 1e-6):.1f} times that without stores, '
              f'CT {both["instances_per_s"]:,.0f}/s, {100 * both["instances_per_s"] / alone["instances_per_s"]:.0f} % of {alone["instances_per_s"]:,.0f}/s without readers', flush=True)

    def server(self, peer, bare=None):
        sink = Sink(False)
        sink.start(os.path.join(self.folder, 'sink'))
        try:
            peer.sink = sink.dicom
            peer.start(os.path.join(self.folder, 'run_serve_' + peer.name))
            try:
                self.load(peer)
                time.sleep(0 if self.a.smoke else 3)
                if not hasattr(peer, 'http'):
                    self.whole(peer, self.known)
                    return
                places = self.places(peer)
                self.known = places[self.a.slices]
                self.over_http(peer, places)
                if bare is not None:
                    self.bare(peer, places[self.a.slices])
                self.whole(peer, places[self.a.slices])
                if self.a.while_storing and isinstance(peer, Cairn):
                    self.while_storing(peer, places[self.a.slices])
            finally:
                peer.stop()
        finally:
            sink.stop()

    def bare(self, peer, place):
        path = os.path.join(self.folder, 'frame')
        with open(path, 'wb') as f:
            f.write(os.urandom(512 << 10))
        loop = BareHttp(path)
        try:
            for connections in self.a.connections:
                self.web(loop, 'stored frame', '/', '*/*', connections)
        finally:
            loop.stop()
            os.unlink(path)

    def table(self):
        print('\n| what | connections | server | p50 ms | p99 ms | first byte ms | per s | MB/s | server CPU ms each |\n|---|---|---|---|---|---|---|---|---|')
        for what, connections in dict.fromkeys((r['what'], r['connections']) for r in self.rows):
            for r in self.rows:
                if (r['what'], r['connections']) == (what, connections):
                    first = f'{r["first_byte_p50_ms"]:.2f}' if 'first_byte_p50_ms' in r else ''
                    print(f'| {what} | {connections} | {r["server"]} | {r["p50_ms"]:.2f} | {r["p99_ms"]:.2f} | {first} | {r["per_s"]:,.1f} | {r["mb_per_s"]:,.0f} | {r["cpu_ms"]:.2f} |')


def main():
    p = arguments(__doc__)
    p.add_argument('--servers', nargs='+', choices=('cairn', 'orthanc', 'dcmqrscp'), default=['cairn', 'orthanc', 'dcmqrscp'], help='dcmqrscp needs one before it')
    p.add_argument('--connections', nargs='+', type=int, default=[1, 8])
    p.add_argument('--seconds', type=float, default=3)
    p.add_argument('--runs', type=int, default=3)
    p.add_argument('--slices', type=int, default=400)
    p.add_argument('--headers', type=int, default=HEADERS)
    for flag in ('while-storing', 'cold'):
        p.add_argument('--' + flag, action='store_true')
    a = p.parse_args()
    if a.smoke:
        a.seconds, a.runs, a.slices, a.headers, a.while_storing = .2, 1, 12, 40, True
    with begin(a, 'serve') as folder:
        peers = [{'cairn': Cairn, 'orthanc': Orthanc, 'dcmqrscp': Dcmqrscp}[s](False) for s in a.servers]
        for p in list(peers):
            if not p.available() or isinstance(p, Orthanc) and not os.path.exists(p.plugins):
                print(f'- not installed, left out: {p.name}')
                peers.remove(p)
        conditions(False, folder, peers)
        reads = Reads(a, folder)
        for peer in peers:
            reads.server(peer, bare=True if isinstance(peer, Cairn) else None)
        reads.table()


if __name__ == '__main__':
    main()
