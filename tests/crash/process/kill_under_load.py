#!/usr/bin/env python3
"""kill -9 under load at a random moment, start again, all that was acknowledged is there bit for bit; many times over.

    kill_under_load.py [--rounds 5] [--seed N] [--io ring|plain] [--dir FOLDER]

Beside the load instances, series and studies are removed and restored. After each round the instances acknowledged in it and a
sample of older ones are compared, and those sent but never acknowledged are whole or absent; after the last round all of them, and
`cairn verify` finds nothing.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402
import removals  # noqa: E402

KINDS = (('ct', 4, 1), ('ct', 8, 4), ('mr', 8, 1), ('tiny', 8, 8), ('tiny', 1, 1))  # kind, associations, window


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--seed', type=int)
    p.add_argument('--io', default='ring')
    p.add_argument('--longest', type=float, default=1.2, help='seconds of load before the kill, at most')
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    with h.Workspace('kill') as w:
        server = h.Server(os.path.join(w.path, 'data'), {'store': {'io': a.io}}, work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        removing = removals.Removals(server, journal, random)
        server.start()
        for n in range(a.rounds):
            kind, associations, window = random.choice(KINDS)
            load = h.Load(server, journal.path, kind, associations, window, seconds=a.longest + 5, seed=seed + n)
            older = journal.acknowledged()
            unanswered_before = set(journal.unanswered())
            wait = random.uniform(.02, a.longest)
            removing.start()
            time.sleep(wait)
            server.kill()
            result = load.wait()
            removing.stop()
            new = journal.acknowledged()[len(older):]
            server.start()
            fresh = [s for s in journal.unanswered() if s not in unanswered_before]
            sample = random.sample(older, min(100, len(older)))
            faults = removing.check(new + sample) + h.check(server, journal, [], fresh)
            h.log(f'round {n + 1}: {kind} x{associations} window {window}: {len(new)} acknowledged, {len(fresh)} in flight, '
                  f'ready after {server.starts[-1]:.2f} s, {len(faults)} faults')
            h.expect(not faults, '\n'.join(faults[:10]))
            h.expect(result['stored'] <= len(new), 'the sender counts more than the journal holds')
        h.expect(len(journal.acknowledged()) > a.rounds, 'hardly anything was stored: the test shows nothing')
        faults = removing.check()
        h.expect(len(removing.removals) > a.rounds, 'hardly anything was removed: the test shows nothing')
        h.expect(not faults, '\n'.join(faults[:10]))
        server.stop()
        code, text = server.command('verify')
        h.expect(code == 0, f'cairn verify: exit status {code}\n{text[-2000:]}')
        server.start()
        faults = removing.check(random.sample(journal.acknowledged(), min(200, len(journal.acknowledged()))))
        h.expect(not faults, '\n'.join(faults[:10]))
        server.stop()
        h.log(f'{a.rounds} rounds, {len(journal.acknowledged())} acknowledged, none lost; {removing.summary()}; slowest start {max(server.starts):.2f} s')


if __name__ == '__main__':
    main()
