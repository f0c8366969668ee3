#!/usr/bin/env python3
"""Queries over an archive that grows: QIDO-RS and C-FIND at each of several sizes, then beside Orthanc at one that it reaches.

    bench/query.py [--dir FOLDER | --loop MIB] [--studies 10000 100000 1000000] [--instances 3] [--peer-studies 20000]
                   [--seconds 2] [--under-load] [--servers cairn orthanc] [--out FILE]

The studies are invented (cairn_load --kind filed): names in several scripts, patients who come again, fifteen years, eight modalities,
no pixels; stored over C-STORE like any other. Times are a client's over loopback on one kept connection or association: from the
request to the last byte of the answer. --under-load asks the same while CT comes in by 8 associations as fast as it can.
--smoke is a miniature for CI: 1,000 instances, and each answer must have what was sent.
"""
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'harness'))
import cairn_harness as h  # noqa: E402

from servers import Cairn, Orthanc, arguments, ask, begin, conditions, send  # noqa: E402

SENDERS = 8
QIDO = ('patient_id', 'accession', 'study_uid', 'name_prefix', 'date_modality', 'offset', 'cursor', 'middle_wildcard', 'fuzzy')
FIND = ('patient_id', 'accession', 'study_uid', 'name_prefix', 'date_modality')
OURS_ALONE = ('cursor', 'fuzzy')
TITLES = {'patient_id': 'patient ID', 'accession': 'accession number', 'study_uid': 'Study Instance UID', 'name_prefix': 'beginning of a name, limit 100',
          'date_modality': 'a week and a modality, limit 100', 'offset': 'modality, limit 50 at offset 10,000', 'cursor': 'modality, page after page of 50',
          'middle_wildcard': 'letters inside a name, limit 100', 'fuzzy': 'a misspelt name, limit 100'}


def asked(kind, by):
    if by == 'C-FIND':
        return {'name_prefix': 'a whole name', 'date_modality': 'a day and a modality'}.get(kind, TITLES[kind])
    return TITLES[kind]


class Queries:
    def __init__(self, a, folder):
        self.a, self.folder, self.rows = a, folder, []

    def fill(self, peer, have, want):
        """Stores what is missing to `want` studies; `have` are there."""
        per_sender = (want - have) // SENDERS
        if per_sender == 0:
            return have
        window = 8 if isinstance(peer, Cairn) else 1
        begun = time.monotonic()
        row = send(peer, 'filed', SENDERS, count=per_sender * SENDERS * self.a.instances, window=window,
                   extra=['--study', str(self.a.instances), '--first', str(have // SENDERS * self.a.instances)])
        h.expect(row['failed'] == 0 and not row['errors'], f'stores failed: {row}')
        print(f'- {peer.name}: {have + per_sender * SENDERS:,} studies of {self.a.instances}; the last {row["stored"]:,} instances in {time.monotonic() - begun:.0f} s, '
              f'{row["instances_per_s"]:,.0f}/s', flush=True)
        return have + per_sender * SENDERS

    def measure(self, peer, studies, note=''):
        for by, kinds in (('QIDO-RS', QIDO), ('C-FIND', FIND)):
            for kind in kinds:
                if isinstance(peer, Orthanc) and kind in OURS_ALONE:
                    continue
                offset = min(10000, studies // 10)
                row = ask(peer, '--find' if by == 'C-FIND' else '--http', '--kind', kind, '--studies', str(studies // SENDERS), '--offset', str(offset),
                          seconds=self.a.seconds)
                h.expect(row['failed'] == 0, f'{peer.name} {by} {kind}: {row}')
                row.update(by=by, studies=studies, note=note)
                self.rows.append(row)
                print(f'  {peer.name} {studies:,} studies{note} {by} {asked(kind, by)}: p50 {row["p50_ms"]:.2f} p99 {row["p99_ms"]:.2f} ms, {row["cpu_ms"]:.2f} CPU ms, '
                      f'{row["matches"]:.1f} matches', file=sys.stderr, flush=True)
                if self.a.out:
                    with open(self.a.out, 'a') as f:
                        f.write(json.dumps(row) + '\n')

    def loaded(self, peer, studies):
        """The same while CT comes in as fast as it can."""
        load = subprocess.Popen([h.cairn_load(), '--port', str(peer.dicom), '--kind', 'ct', '--associations', '8', '--seconds', '3600', '--seed', '77'],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            self.measure(peer, studies, ', under load')
            h.expect(load.poll() is None, 'the load ended')
        finally:
            load.terminate()
            load.wait()

    def cairn(self):
        peer = Cairn(False).start(os.path.join(self.folder, 'run_query'))
        try:
            have = 0
            for studies in self.a.studies:
                have = self.fill(peer, have, studies)
                time.sleep(0 if self.a.smoke else 3)
                self.measure(peer, have)
            if self.a.under_load:
                self.loaded(peer, have)
            counts = peer.stats()['counts']
            h.expect(counts['studies'] >= have, f'{have} studies were stored, {counts}')
        finally:
            peer.stop()

    def orthanc(self):
        peer = Orthanc(False)
        if not peer.available() or not os.path.exists(peer.plugins):
            print('- not installed, left out: orthanc and its DICOMweb plugin')
            return
        peer.start(os.path.join(self.folder, 'run_query_orthanc'))
        try:
            self.measure(peer, self.fill(peer, 0, self.a.peer_studies))
        finally:
            peer.stop()

    def table(self):
        columns = list(dict.fromkeys((r['server'], r['studies'], r['note']) for r in self.rows))
        print('\np50 / p99 in ms, as the client sees them\n')
        print('| | asked for | ' + ' | '.join(f'{s}, {n:,} studies{note}' for s, n, note in columns) + ' |')
        print('|---|---' + '|---' * len(columns) + '|')
        for by, kind in dict.fromkeys((r['by'], r['kind']) for r in self.rows):
            cells = []
            for server, studies, note in columns:
                row = next((r for r in self.rows if (r['by'], r['kind'], r['server'], r['studies'], r['note']) == (by, kind, server, studies, note)), None)
                cells.append(f'{row["p50_ms"]:.2f} / {row["p99_ms"]:.2f}' if row else '')
            print(f'| {by} | {asked(kind, by)} | ' + ' | '.join(cells) + ' |')
        quiet = [r for r in self.rows if r['server'] == 'cairn' and not r['note']]
        sizes = sorted({r['studies'] for r in quiet})
        if len(sizes) > 1:
            growth = []
            for by, kind in dict.fromkeys((r['by'], r['kind']) for r in quiet):
                of = {r['studies']: r['p50_ms'] for r in quiet if (r['by'], r['kind']) == (by, kind)}
                growth.append(of[sizes[-1]] / max(of[sizes[0]], 1e-6))
            print(f'\np50 at {sizes[-1]:,} studies over that at {sizes[0]:,}: median {statistics.median(growth):.2f}, most {max(growth):.2f}')


def main():
    p = arguments(__doc__)
    p.add_argument('--servers', nargs='+', choices=('cairn', 'orthanc'), default=['cairn', 'orthanc'])
    p.add_argument('--studies', nargs='+', type=int, default=[10000, 100000, 1000000])
    p.add_argument('--peer-studies', type=int, default=20000, help='of Orthanc')
    p.add_argument('--instances', type=int, default=3, help='of each study')
    p.add_argument('--seconds', type=float, default=2, help='of each question')
    p.add_argument('--under-load', action='store_true')
    a = p.parse_args()
    if a.smoke:
        a.studies, a.peer_studies, a.seconds, a.under_load = [160, 320], 80, .1, True
    with begin(a, 'query') as folder:
        conditions(False, folder, [{'cairn': Cairn, 'orthanc': Orthanc}[s](False) for s in a.servers])
        queries = Queries(a, folder)
        for server in a.servers:
            getattr(queries, server)()
        queries.table()
        if a.smoke:
            ours = [r for r in queries.rows if r['server'] == 'cairn']
            for r in ours:
                # What is asked for is there; a page of the modality may be beyond the end of so few.
                h.expect(r['matches'] >= 1 or r['kind'] in ('offset', 'cursor'), f'no matches: {r}')
            h.expect({(r['by'], r['kind']) for r in ours} == {('QIDO-RS', k) for k in QIDO} | {('C-FIND', k) for k in FIND}, 'a question was left out')


if __name__ == '__main__':
    main()
