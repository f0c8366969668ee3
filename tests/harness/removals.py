"""Removals and restorations beside a load that writes a journal, and what they promise:

  an acknowledged removal stays removed, an acknowledged restoration is back bit for bit; what was asked for and never
  answered happened whole or not at all; nothing else is touched.

One thread asks, one thing at a time; the model is exact but for instances that were on their way while their series was removed.
"""
import json
import threading

import cairn_harness as h


class Removals:
    """`journal` is read by the thread while it runs, by nobody else."""

    def __init__(self, server, journal, random):
        self.server, self.journal, self.random = server, journal, random
        self.gone, self.either = set(), set()  # of the acknowledged instances; the others must be there
        self.removals = []                     # {number, reason, covered, maybe, restored}
        self.pending = None                    # asked for, never answered: ('remove' or 'restore', removal)
        self.asked = self.refused = 0
        self.thread = None

    # ---- asking

    def start(self):
        self.halt = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def stop(self):
        """Call it once the server is down or the load is done."""
        self.halt.set()
        self.thread.join()
        if self.fault:
            raise self.fault
        self.journal.read()

    def run(self):
        self.fault = None
        try:
            while not self.halt.is_set() and self.step():
                self.halt.wait(self.random.uniform(0, .02))
        except Exception as fault:  # told by stop()
            self.fault = fault

    def step(self):
        """One removal or restoration. False when it got no answer, or that the disk failed."""
        self.journal.read()
        standing = [r for r in self.removals if not r['restored']]
        if standing and self.random.random() < .4:
            return self.restore(self.random.choice(standing[-8:]))
        present = [sop for sop in self.journal.acknowledged() if sop not in self.gone and sop not in self.either]
        return self.remove(self.random.choice(present)) if present else True

    def remove(self, sop):
        study, series, *_ = self.journal.sent[sop]
        depth = self.random.choices((1, 2, 3), (1, 2, 6))[0]
        inside = {sop} if depth == 3 else {s for s, sent in self.journal.sent.items() if sent[:depth] == (study, series)[:depth]}
        answered = set(self.journal.acknowledged())
        removal = {'reason': f'asked {self.asked}', 'covered': {s for s in inside & answered if s not in self.gone and s not in self.either},
                   'maybe': {s for s in inside if s not in answered} | (inside & self.either), 'restored': False}
        self.asked += 1
        self.pending = ('remove', removal)
        path = '/dicom-web' + ''.join(f'/{level}/{uid}' for level, uid in list(zip(('studies', 'series', 'instances'), (study, series, sop)))[:depth])
        status, body = self.server.ask('DELETE', path + '?only-copy=true&reason=' + removal['reason'].replace(' ', '%20'))
        # What came to the series meanwhile is removed or not; what was sent after this is there.
        self.journal.read()
        if depth < 3:
            removal['maybe'] |= {s for s, sent in self.journal.sent.items() if sent[:depth] == (study, series)[:depth]} - inside
        if status == 0 or status >= 500:
            return False
        self.pending = None
        h.expect(status == 200, f'DELETE {path}: HTTP {status} {body[:300]}')
        self.removed(removal, json.loads(body)['removal'])
        return True

    def removed(self, removal, number):
        removal['number'] = number
        self.removals.append(removal)
        self.gone |= removal['covered']
        self.either |= removal['maybe']

    def restore(self, removal):
        self.pending = ('restore', removal)
        self.asked += 1
        status, body = self.server.ask('POST', f'/api/v1/removed/{removal["number"]}/restore')
        if status == 0 or status >= 500:
            return False
        self.pending = None
        if status == 409:  # a later removal of the same series lies above it
            self.refused += 1
            return True
        h.expect(status == 200, f'restoring {removal["number"]}: HTTP {status} {body[:300]}')
        self.restored(removal)
        return True

    def restored(self, removal):
        removal['restored'] = True
        self.gone -= removal['covered']

    # ---- judging, with a server that was started again

    def listed(self):
        found, path = {}, '/api/v1/removed?limit=1000'
        while path:
            status, body = self.server.ask('GET', path)
            h.expect(status == 200, f'{path}: HTTP {status} {body[:300]}')
            page = json.loads(body)
            found.update({r['removal']: r for r in page})
            path = f'/api/v1/removed?limit=1000&before={page[-1]["removal"]}' if len(page) == 1000 else None
        return found

    def settle(self):
        """Finds out what became of the question that got no answer. Returns faults."""
        if self.pending is None:
            return []
        (kind, removal), self.pending = self.pending, None
        found = {'200' if h.check_instance(self.server, self.journal, sop, True) is None else '404' for sop in removal['covered']}
        if len(found) > 1:
            return [f'unanswered: {kind} of {len(removal["covered"])} instances happened by half']
        entry = next((r for r in self.listed().values() if r['reason'] == removal['reason']), None)
        # Without an instance that is certain, the list alone can tell.
        gone = '404' in found if found else entry is not None
        if (entry is not None) != gone:
            return [f'unanswered: {kind}: the list of what was removed and the instances disagree ({entry}, {found})']
        if kind == 'remove' and gone:
            self.removed(removal, entry['removal'])
        if kind == 'remove' and not gone:
            self.either -= removal['maybe'] - self.either_elsewhere()
        if kind == 'restore' and not gone:
            self.restored(removal)
        return []

    def either_elsewhere(self):
        return set().union(*(r['maybe'] for r in self.removals)) if self.removals else set()

    def check(self, sample=None):
        """Of all instances, or of `sample`: what is gone is gone, what is uncertain is whole or absent, all else is there. Returns faults."""
        faults = self.settle()
        known = self.journal.acknowledged() if sample is None else sample
        uncertain = [s for s in known if s in self.either]
        if sample is None:
            uncertain += self.journal.unanswered()
        faults += h.check(self.server, self.journal, [s for s in known if s not in self.gone and s not in self.either], uncertain)
        for sop in known:
            if sop in self.gone and sop not in self.either:
                status, _ = h.retrieve(self.server, *self.journal.sent[sop][:2], sop)
                if status != 404:
                    faults.append(f'removed instance {sop} answers HTTP {status}')
        listed = self.listed()
        for removal in self.removals:
            entry = listed.pop(removal['number'], None)
            if (entry is None) != removal['restored']:
                faults.append(f'removal {removal["number"]} is {"still" if entry else "not"} listed')
            elif entry and not len(removal['covered']) <= entry['instances'] <= len(removal['covered'] | removal['maybe']):
                faults.append(f'removal {removal["number"]} counts {entry["instances"]} instances, not {len(removal["covered"])}')
        faults += [f'a removal that nobody asked for: {entry}' for entry in listed.values()]
        return faults + self.check_lists()

    def check_lists(self):
        """QIDO-RS shows of each series that was touched just what is there."""
        faults = []
        touched = {self.journal.sent[s][:2] for r in self.removals for s in r['covered']}
        wanted = {place: set() for place in touched}
        for sop in self.journal.acknowledged():
            if self.journal.sent[sop][:2] in wanted and sop not in self.gone and sop not in self.either:
                wanted[self.journal.sent[sop][:2]].add(sop)
        for (study, series), there in wanted.items():
            status, body = self.server.get(f'/dicom-web/studies/{study}/series/{series}/instances?limit=5000', 'application/dicom+json')
            seen = {i['00080018']['Value'][0] for i in json.loads(body)} if status == 200 and body else set()
            faults += [f'QIDO-RS does not show {sop}' for sop in there - seen]
            faults += [f'QIDO-RS shows {sop}, which was removed' for sop in seen & self.gone - self.either]
        return faults

    def summary(self):
        return f'{len(self.removals)} removals, {sum(r["restored"] for r in self.removals)} restored, {self.refused} refused for later ones'
