#!/usr/bin/env python3
"""Decoder processes of a running server: killed by the hundred, zygote and all, without a wrong answer, an orphan or a
leaked descriptor.
"""
import collections
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h

KILLS = 100
CRASHES = 20
FOREIGN = {'1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.51', '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91',
           '1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202', '1.2.840.10008.1.2.4.203', '1.2.840.10008.1.2.8.1'}
DECODED = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'
PICTURE = 'image/png'


def children(pid):
    """{pid: name} of the processes whose parent is `pid`."""
    found = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat') as f:
                    text = f.read()
            except OSError:
                continue
            state, parent = text.rpartition(')')[2].split()[:2]
            if int(parent) == pid and state != 'Z':
                found[int(name)] = text[text.index('(') + 1:text.rindex(')')]
    return found


def zygote(server):
    return next((p for p, name in children(server.process.pid).items() if name == 'decoders'), None)


def workers(server):
    z = zygote(server)
    return list(children(z)) if z else []


def family(server):
    return [zygote(server), *workers(server)]


def alive(pid):
    """A process that has ended and that nobody has waited for yet is not."""
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def gone(pids, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(map(alive, pids)):
            return True
        time.sleep(.02)
    return False


def kill(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def metric(server, name, label=''):
    for line in server.get('/metrics')[1].decode().splitlines():
        if line.startswith(name) and label in line:
            return float(line.split()[-1])
    return None


def frames_of(folder):
    """(path of the frame, Accept) of files that foreign decoders decode, small ones, some of each syntax."""
    import pydicom
    per_syntax, files, wanted = collections.Counter(), [], []
    for path in sorted(os.path.join(d, f) for d, _, names in os.walk(folder) for f in names):
        if os.path.getsize(path) > 2_000_000:
            continue
        try:
            d = pydicom.dcmread(path, stop_before_pixels=True)
            syntax = d.file_meta.TransferSyntaxUID
            place = f'/dicom-web/studies/{d.StudyInstanceUID}/series/{d.SeriesInstanceUID}/instances/{d.SOPInstanceUID}/frames/1'
        except Exception:
            continue
        # Small ones: large ones take long, and a frame whose process is killed four times in a row is given up.
        if syntax in FOREIGN and per_syntax[syntax] < 4 and d.Rows * d.Columns * d.SamplesPerPixel <= 600_000:
            per_syntax[syntax] += 1
            files.append(path)
            wanted += [(place, DECODED), (place + '/rendered', PICTURE)]
    return files, wanted


def answer(server, wanted):
    status, body = server.get(wanted[0], accept=wanted[1])
    if wanted[1] == DECODED and status == 200:  # the boundary is another each time
        body = body[body.index(b'\r\n\r\n'):body.rindex(b'\r\n--')]
    return status, body


def load(server, expected, threads, until):
    """Asks for frames until `until` is set; (right answers, [(what, status, body)] of the others)."""
    right, others, lock = [0], [], threading.Lock()

    def ask(seed):
        chance = random.Random(seed)
        names = list(expected)
        while not until.is_set():
            what = chance.choice(names)
            got = answer(server, what)
            with lock:
                if got == expected[what]:
                    right[0] += 1
                else:
                    others.append((what, *got))

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for f in [pool.submit(ask, i) for i in range(threads)]:
            f.result()
    return right[0], others


def under_load(server, expected, act):
    until = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(load, server, expected, 6, until)
        try:
            act()
        finally:
            until.set()
        return asked.result()


def kill_workers(server, number, count):
    def act():
        done, end = 0, time.monotonic() + 300
        while done < count and time.monotonic() < end:
            there = workers(server)
            if there and kill(random.choice(there), number):
                done += 1
            time.sleep(.2)
        h.expect(done == count, f'{done} of {count} decoder processes could be killed')
    return act


def main():
    folder = h.data_folder()
    if folder is None:
        h.skip('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
    files, wanted = frames_of(os.path.join(folder, 'syntaxes'))
    with h.Workspace('decoders') as w:
        data = os.path.join(w.path, 'data')
        plain = h.Server(data, {'codec': {'isolation': 'none'}}, work=w.path)
        w.later(plain.kill)
        code, text = plain.command('import', *files)
        h.expect(code == 0, f'cairn import: exit status {code}\n{text[-2000:]}')
        plain.start()
        h.expect(zygote(plain) is None, 'isolation "none" started a process')
        expected = {what: got for what in wanted if (got := answer(plain, what))[0] == 200}
        h.expect(len(expected) >= 10, f'{len(expected)} of {len(wanted)} frames were decoded in the server itself')
        plain.stop()

        server = h.Server(data, {'codec': {'processes': 3}}, work=w.path)
        w.later(server.kill)
        server.start()
        for what, want in expected.items():
            h.expect(answer(server, what) == want, f'{what[0]} differs from what the server itself decodes')
        h.log(f'{len(expected)} frames and pictures as decoded in the server itself')
        descriptors = len(os.listdir(f'/proc/{server.process.pid}/fd'))

        right, others = under_load(server, expected, kill_workers(server, signal.SIGKILL, KILLS))
        given_up = [o for o in others if o[1] == 503 and b'being killed' in o[2]]  # four times in a row
        others = [o for o in others if o not in given_up]
        h.expect(len(given_up) <= KILLS / 10, f'{len(given_up)} frames were given up')
        h.expect(not others, f'{len(others)} wrong answers while decoder processes were killed: {str(others[:1])[:500]}')
        h.log(f'{KILLS} decoder processes killed, {right} right answers, {len(given_up)} given up, no other')
        right, others = under_load(server, expected, kill_workers(server, signal.SIGSEGV, CRASHES))
        h.expect(len(others) <= CRASHES, f'{CRASHES} crashes cost {len(others)} answers')
        for (place, _), status, body in others:
            sop = place.split('/')[7]
            h.expect(status in (406, 500) and sop.encode() in body and b'frame 1' in body,
                     f'a crash is answered {status} {body[:300]} for {place}')
        h.log(f'{CRASHES} crashes cost {len(others)} of {right + len(others)} answers, each of them with instance and frame')

        for _ in range(3):
            first = zygote(server)
            kill(first, signal.SIGKILL)
            h.expect(gone([first]), 'a killed zygote stays')
            for what, want in list(expected.items())[:4]:
                h.expect(answer(server, what) == want, f'{what[0]} is not answered after the zygote was killed')
        h.expect(metric(server, 'cairn_decoder_zygote_starts_total') == 4, 'metrics do not count the zygotes')
        h.expect((metric(server, 'cairn_decoder_deaths_total', 'killed') or 0) > 0, 'metrics do not count the killed')
        h.expect('forked from is gone' in server.log_tail(2000), 'the log does not say that the zygote was gone')
        now = len(os.listdir(f'/proc/{server.process.pid}/fd'))
        h.expect(now <= descriptors + 20, f'{descriptors} descriptors before, {now} after')

        # A signal to all processes of a service, as an init system sends it, ends the server in order.
        everyone = family(server)
        for pid in everyone:
            kill(pid, signal.SIGTERM)
        what, want = next(iter(expected.items()))
        h.expect(answer(server, what) == want, 'SIGTERM to decoder processes costs a frame')
        server.stop()
        h.expect(gone(everyone), 'SIGTERM leaves orphans')
        server.start()
        h.expect(answer(server, what) == want, 'no answer after a start')
        everyone = family(server)
        server.kill()
        h.expect(len(everyone) >= 2 and gone(everyone), 'kill -9 leaves orphans')
        h.log('no orphans after SIGTERM and SIGKILL')

        closed = subprocess.Popen(['/bin/sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh', h.cairn(), 'serve', '--config', server.config,
                                   '--data', data, '--dicom-port', '0', '--http-port', str(port := h.free_port())])
        w.later(closed.kill)
        server.http, server.process = port, closed
        end, got = time.monotonic() + 60, None
        while time.monotonic() < end and got != want:
            got = answer(server, what)
            time.sleep(.1)
        h.expect(got == want, 'no frame from a server that was started with its standard streams closed')
        closed.terminate()
        h.expect(closed.wait(60) == 0, 'a server without standard streams does not end with status 0')
    print(f'{len(expected)} frames, {KILLS} killed, {CRASHES} crashed: as promised')


if __name__ == '__main__':
    main()
