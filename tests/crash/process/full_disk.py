#!/usr/bin/env python3
"""A full disk: stores get A700, reads go on, nothing acknowledged is lost; space is freed and stores go on.

    full_disk.py [--seed N]

Twice on a small ext4: with the reserve that the configuration keeps, and with none, so that the disk itself says ENOSPC.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402


def one(random, seed, reserve):
    with h.Workspace('full') as w:
        disk = h.LoopMount(w.path, 320)
        w.later(disk.remove)
        ballast = os.path.join(disk.path, 'ballast')
        with open(ballast, 'wb') as f:
            f.write(bytes(96 << 20))
            os.fsync(f.fileno())
        server = h.Server(os.path.join(disk.path, 'data'), {'store': {'segment_mib': 16, 'reserve_mib': reserve, 'prewritten_mib': 32}}, work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        server.start()
        result = h.Load(server, journal.path, 'ct', 4, count=900, seed=seed).wait()
        h.log(f'reserve {reserve} MiB: {result["stored"]} stored, then {result["statuses"]}')
        h.expect(result['stored'] > 20, f'the disk was full from the start: {result}')
        h.expect(result['statuses'].get('A700', 0) > 0, f'no A700 on a full disk: {result}')
        h.expect(set(result['statuses']) == {'0000', 'A700'}, f'other answers than success and A700: {result}')
        h.expect(server.running(), f'the server died of a full disk\n{server.log_tail()}')
        status, body = server.get('/healthz')
        h.expect(status == 503 and b'space' in bytes(body), f'healthz while stores are refused: {status} {body}')
        journal.read()
        faults = h.check(server, journal)
        h.expect(not faults, 'reading while the disk is full:\n' + '\n'.join(faults[:10]))
        os.unlink(ballast)
        deadline = time.monotonic() + 30
        while True:
            more = h.Load(server, journal.path, 'mr', 4, count=40, seed=seed + 1, first=int(time.monotonic() * 1000) % 100000 * 100).wait()
            if more['stored'] == 40:
                break
            h.expect(time.monotonic() < deadline, f'30 s after space was freed stores still fail: {more}')
            time.sleep(.5)
        h.expect(server.get('/healthz')[0] == 200, 'healthz is not well again after space was freed')
        journal.read()
        server.kill()
        server.start()
        faults = h.check(server, journal)
        h.expect(not faults, 'after the restart:\n' + '\n'.join(faults[:10]))
        server.stop()
        code, text = server.command('verify')
        h.expect(code == 0, f'verify: exit status {code}\n{text[-2000:]}')
        h.log(f'{len(journal.acknowledged())} acknowledged, all there; stores went on after space was freed')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int)
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    for reserve in (24, 0):
        one(random, seed, reserve)


if __name__ == '__main__':
    main()
