#!/usr/bin/env python3
"""kill -9 while compaction runs beside stores: nothing that is kept is lost, and a new index says the same.

    compaction.py [--rounds 4] [--seed N]

Each round stores, removes some studies, has the server compact, goes on storing, and kills it at a random moment; the next
start takes up what was begun. Every acknowledged instance that was not removed is compared, removed ones are absent; after
the last round the space is back, `cairn verify` finds nothing, and `cairn reindex` gives the same index.
"""
import argparse
import http.client
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402


def ask(server, method, path):
    c = http.client.HTTPConnection('127.0.0.1', server.http, timeout=60)
    try:
        c.request(method, path)
        r = c.getresponse()
        return r.status, r.read()
    except (OSError, http.client.HTTPException):
        return 0, b''
    finally:
        c.close()


def log_bytes(data):
    return sum(e.stat().st_size for e in os.scandir(os.path.join(data, 'volume0')) if e.name.endswith('.cairn'))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=4)
    p.add_argument('--seed', type=int)
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    settings = {'archive': {'restore_days': 0, 'compaction_mib_per_s': 200},
                'store': {'segment_mib': 8, 'prewritten_mib': 16}}
    with h.Workspace('compaction') as w:
        data = os.path.join(w.path, 'data')
        server = h.Server(data, settings, work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        removed = set()  # studies
        server.start()

        def check(what):
            kept = [sop for sop in journal.acknowledged() if journal.sent[sop][0] not in removed]
            faults = h.check(server, journal, kept, [])
            h.expect(not faults, f'{what}:\n' + '\n'.join(faults[:10]))
            for study in removed:
                status, _ = server.get(f'/dicom-web/studies/{study}/metadata')
                h.expect(status == 404, f'{what}: the removed study {study} answers {status}')
            return len(kept)

        for n in range(a.rounds):
            kind = random.choice(('ct', 'mr', 'tiny'))
            count = 1500 if kind == 'tiny' else 60
            h.Load(server, journal.path, kind, 4, count=count, seed=seed + n, first=n * 1_000_000).wait()
            journal.read()
            studies = sorted({journal.sent[sop][0] for sop in journal.acknowledged()} - removed)
            for study in random.sample(studies, max(1, len(studies) // 2)):
                status, body = ask(server, 'DELETE', f'/dicom-web/studies/{study}?only-copy=true')
                h.expect(status == 200, f'DELETE answers {status} {body[:200]}')
                removed.add(study)
            load = h.Load(server, journal.path, 'ct', 2, seconds=8, seed=seed + n, first=n * 1_000_000 + 500_000)
            status, body = ask(server, 'POST', '/api/v1/compaction')
            h.expect(status == 202, f'POST /api/v1/compaction answers {status} {body[:200]}')
            time.sleep(random.uniform(.02, 1.5))
            state = json.loads(ask(server, 'GET', '/api/v1/compaction')[1] or b'{}')
            server.kill()
            load.wait()
            journal.read()
            server.start()
            kept = check(f'round {n + 1}')
            h.log(f'round {n + 1}: {kind}; killed with {state.get("bytes_moved")} bytes moved, '
                  f'running {state.get("running")}; {kept} instances there, {len(removed)} studies gone')
        server.stop()
        before = log_bytes(data)
        code, text = server.command('compact')
        h.expect(code == 0, f'cairn compact: exit status {code}\n{text[-2000:]}')
        h.log(text.strip().replace('\n', '; '), f'{before / 1e6:.0f} MB -> {log_bytes(data) / 1e6:.0f} MB')
        code, text = server.command('verify')
        h.expect(code == 0, f'cairn verify: exit status {code}\n{text[-2000:]}')
        code, dump = server.command('dump-index')
        h.expect(code == 0 and len(dump) > 1000, f'dump-index: exit status {code}')
        code, text = server.command('reindex')
        h.expect(code == 0, f'cairn reindex: exit status {code}\n{text[-2000:]}')
        h.expect(server.command('dump-index')[1] == dump, 'reindex gives another index')
        server.start()
        check('after compaction and reindex')
        gone = json.loads(ask(server, 'GET', '/api/v1/removed?limit=1000')[1])
        h.expect(gone and not any(one['restorable'] for one in gone), f'a removal could still be restored: {gone[:1]}')
        status, body = ask(server, 'POST', f'/api/v1/removed/{gone[0]["removal"]}/restore')
        h.expect(status == 409, f'restoring what is final answers {status} {body[:200]}')
        server.stop()


if __name__ == '__main__':
    main()
