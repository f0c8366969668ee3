#!/usr/bin/env python3
"""All real files go in, over C-STORE and by `cairn import`, and come back bit for bit; nothing crashes.

    real_data.py --by store|import

"Bit for bit" is the data set, byte by byte, and its transfer syntax. A file is refused only with a reason, and only
below malformed/ or when it is no instance (a DICOMDIR, a file without the UIDs that it is filed under).
"""
import argparse
import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import warnings

import pydicom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402

warnings.filterwarnings('ignore', module='pydicom')
NO_INSTANCE = ('.tsv', '.json', '.txt', '.gz', '.nii', '.md', '.bval', '.bvec')


def files_of(folder):
    return sorted(os.path.join(d, f) for d, _, names in os.walk(folder) for f in names
                  if not f.lower().endswith(NO_INSTANCE) and 'LICENSES' not in d)


File = collections.namedtuple('File', 'sop_class sop syntax data study series contradicts')


def uid(data_set, keyword):
    value = data_set.get(keyword)
    return str(value).strip('\0 ') if value else ''


def meta_of(path):
    """The File of a Part 10 file with everything an SCU needs to send it as it is, else None. UIDs are the data set's,
    read by pydicom; `contradicts` when the File Meta Information says otherwise."""
    with open(path, 'rb') as f:
        data = f.read()
    if data[128:132] != b'DICM':
        return None
    try:
        syntax, body = h.data_set_of(data)
        read = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        sop_class, sop = uid(read, 'SOPClassUID'), uid(read, 'SOPInstanceUID')
        meta_class, meta_sop = uid(read.file_meta, 'MediaStorageSOPClassUID'), uid(read.file_meta, 'MediaStorageSOPInstanceUID')
        study, series = uid(read, 'StudyInstanceUID'), uid(read, 'SeriesInstanceUID')
    except Exception:  # whatever is wrong with it, it is not one that an SCU could send as it is
        return None
    if not (syntax and meta_class and meta_sop):
        return None
    return File(sop_class, sop, syntax, body, study, series, (meta_class, meta_sop) != (sop_class, sop))


def can_be_filed(file):
    return all(re.fullmatch(r'[0-9.]{1,64}', u) for u in (file.sop_class, file.sop, file.study, file.series))


def find(server, sop):
    """Study and series of an instance, by QIDO-RS."""
    status, body = server.get(f'/dicom-web/instances?SOPInstanceUID={sop}', 'application/dicom+json')
    if status == 204 or (status == 200 and not body.strip()):
        return None
    h.expect(status == 200, f'QIDO-RS for {sop}: HTTP {status} {body[:200]}')
    matches = json.loads(body)
    if not matches:
        return None
    h.expect(len(matches) == 1, f'{len(matches)} matches for {sop}')
    return matches[0]['0020000D']['Value'][0], matches[0]['0020000E']['Value'][0]


def came_back(server, sop, versions):
    """None when the instance is served as one of `versions`, pairs of transfer syntax and data set; else the fault."""
    where = find(server, sop)
    if where is None:
        return f'{sop}: stored, but a query does not find it'
    status, stream = h.retrieve(server, *where, sop)
    if stream is None:
        return f'{sop}: HTTP {status}'
    syntax, data = h.data_set_of(stream)
    if not any(syntax == s and data == d for s, d in versions):
        return f'{sop}: came back altered: {len(data)} bytes, {syntax}; sent ' + ', '.join(f'{len(d)} bytes, {s}' for s, d in versions)
    return None


def open_from(path, offset):
    with open(path) as f:
        f.seek(offset)
        return f.readlines()


def by_store(server, folder, work):
    files = files_of(folder)
    sendable = {f: m for f in files if (m := meta_of(f))}
    h.expect(len(sendable) > 900, f'only {len(sendable)} files can be sent')
    journal = os.path.join(work, 'journal')
    versions, refused = {}, []
    names = sorted(sendable)
    for at in range(0, len(names), 60):  # an association has room for 128 presentation contexts
        batch = names[at:at + 60]
        before = os.path.getsize(journal) if os.path.exists(journal) else 0
        done = subprocess.run([h.cairn_load(), '--port', str(server.dicom), '--journal', journal, *batch], capture_output=True, text=True, timeout=300)
        h.expect(server.running(), f'the server died of one of {batch}\n{server.log_tail()}')
        result = json.loads(done.stdout.strip().splitlines()[-1])
        # One association, no window: each S is followed by its A, unless no presentation context was accepted for it.
        answers = []
        for words in map(str.split, open_from(journal, before)):
            answers += ['0122'] if words[0] == 'S' else []
            if words[0] == 'A':
                answers[-1] = words[2]
        h.expect(len(answers) == len(batch), f'{len(batch)} to send, {len(answers)} sent: {result}')
        for path, status in zip(batch, answers):
            file = sendable[path]
            if status == '0000':
                versions[file.sop] = [(file.syntax, file.data)]  # the newest of several is the current one
            else:
                refused.append((path, status, result['errors']))
    for path, status, errors in refused:
        file, shown = sendable[path], os.path.relpath(path, folder)
        h.log(f'  refused {shown}: {status}')
        h.expect(errors, f'{shown} was refused with {status} and no comment')
        h.expect(shown.startswith('malformed') or file.contradicts or not can_be_filed(file), f'{shown} was refused: {status} {errors}')
    return files, versions


def by_import(server, folder, work):
    code, text = server.command('import', folder, seconds=600)
    print(text[-3000:])
    h.expect(code in (0, 1), f'cairn import: exit status {code}')
    files = files_of(folder)
    versions = collections.defaultdict(list)
    for path in files:
        meta = meta_of(path)
        if meta and can_be_filed(meta):
            versions[meta.sop].append((meta.syntax, meta.data))
    code, again = server.command('import', folder, '--journal', os.path.join(work, 'fresh-journal'), seconds=600)
    h.expect(code in (0, 1), f'cairn import, again: exit status {code}')
    print(again[-1500:])
    h.expect('already there' in again, 'the second import does not say what was already there')
    return files, versions


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--by', choices=('store', 'import'), required=True)
    a = p.parse_args()
    folder = h.data_folder()
    if folder is None:
        h.skip('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
    with h.Workspace('data') as w:
        server = h.Server(os.path.join(w.path, 'data'), {'store': {'segment_mib': 64}}, work=w.path)
        w.later(server.kill)
        if a.by == 'store':
            server.start()
            files, versions = by_store(server, folder, w.path)
        else:
            files, versions = by_import(server, folder, w.path)
            server.start()
        h.expect(len(versions) > 900, f'only {len(versions)} instances to compare')
        faults, absent = [], 0
        malformed = {meta.sop for path in files if os.sep + 'malformed' + os.sep in path and (meta := meta_of(path))}
        for sop, known in versions.items():
            if a.by == 'import' and sop in malformed and find(server, sop) is None:
                absent += 1  # refused, and import said why
                continue
            fault = came_back(server, sop, known)
            if fault:
                faults.append(fault)
        h.report(faults)
        h.expect(not faults, f'{len(faults)} of {len(versions)} instances did not come back as they went in')
        server.kill()  # and they outlive the process
        server.start()
        sample = list(versions)[::17]
        faults = [f for sop in sample if not (a.by == 'import' and sop in malformed) if (f := came_back(server, sop, versions[sop]))]
        h.expect(not faults, '\n'.join(faults[:10]))
        server.stop()
        code, text = server.command('verify')
        h.expect(code == 0, f'verify: exit status {code}\n{text[-2000:]}')
        h.log(f'{len(files)} files, {len(versions)} instances by {a.by}, {absent} malformed ones refused: all others came back bit for bit')


if __name__ == '__main__':
    main()
