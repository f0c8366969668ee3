#!/usr/bin/env python3
"""A disk that answers EIO under load: no store is acknowledged that is not there, the server stays up and reads go on.

    failing_disk.py [--rounds 2] [--seed N] [--io ring|plain]

Each round twice: one write or flush fails, after which stores go on in a new segment; then every write fails, after which the
volume may stay out of use until the server is started again, and no longer.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=2)
    p.add_argument('--seed', type=int)
    p.add_argument('--io', default='ring')
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    with h.Workspace('eio') as w:
        disk = h.ForgetfulMount(w.path, os.environ.get('CAIRN_FORGETFUL_FS'))
        w.later(disk.remove)
        # Only the log is on the failing disk; the index has its own, as it can be computed again.
        volume = os.path.join(disk.path, 'volume')
        os.makedirs(volume)
        server = h.Server(os.path.join(w.path, 'data'), {'store': {'io': a.io, 'segment_mib': 16, 'prewritten_mib': 32}}, work=w.path)
        with open(server.config, 'a') as f:
            f.write(f'[[store.volume]]\nid = 0\ndirectory = "{volume}"\n')
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        server.start()
        for n in range(2 * a.rounds):
            passing = n % 2 == 0
            load = h.Load(server, journal.path, 'ct', 4, seconds=3, seed=seed + n)
            time.sleep(random.uniform(.2, .7))
            disk.say('eio 1' if passing else 'eio on')
            result = load.wait()
            journal.read()
            h.log(f'{"one write fails" if passing else "every write fails"}: {result["statuses"]} {result["errors"][:2]}')
            h.expect(result['statuses'].get('0000', 0) > 0, f'nothing was stored before the disk failed: {result}')
            h.expect(set(result['statuses']) != {'0000'}, f'no store was refused while writes failed: {result}')
            h.expect(server.running(), f'the server died of EIO\n{server.log_tail()}')
            faults = h.check(server, journal, unanswered=[])
            h.expect(not faults, 'reading while the disk fails to write:\n' + '\n'.join(faults[:10]))
            disk.say('eio off')
            if not passing:
                server.kill()
                disk.say('forget')
                server.start()
            more = h.Load(server, journal.path, 'mr', 2, count=20, seed=seed + 100 + n).wait()
            h.expect(more['stored'] == 20, f'the disk works again and stores still fail: {more}\n{server.log_tail()}')
            journal.read()
            server.kill()
            disk.say('forget')
            server.start()
            faults = h.check(server, journal)
            h.expect(not faults, 'after the restart:\n' + '\n'.join(faults[:10]))
        server.stop()
        h.log(f'{len(journal.acknowledged())} acknowledged over {a.rounds} failures of the disk, none lost')


if __name__ == '__main__':
    main()
