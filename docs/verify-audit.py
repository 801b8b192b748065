#!/usr/bin/env python3
"""Checks an audit log, or a proof from one, by docs/audit.md ("The format"): a second implementation, independent of the program.

Needs Python 3.9 or later and nothing else. It stops at the first flaw of the segments, and says where that is. Ed25519 is RFC 8032,
section 5.1.7, by hand and slow, so without --all only the last checkpoint of each segment, `head` and the witness have their signatures
checked; the roots of all checkpoints always are.
Usage: python3 verify-audit.py FOLDER|PROOF.json [--key KEY]... [--witness FILE]... [--all]. Exit code: 0 intact, 1 damaged, 2 wrong use.
"""
import argparse
import base64
import hashlib
import json
import pathlib
import re
import sys
from datetime import datetime, timedelta

MAGIC = b"inward audit v1\n"
NOTE = re.compile(
    r"(inward-audit/[0-9a-f]{32})\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n\u2014 (inward-audit/[0-9a-f]{32}) ([A-Za-z0-9+/]{91}=)\n"
)
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text, size):
    """Bytes of a text that is the only base64 of so many bytes, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        return None
    return data if len(data) == size and base64.b64encode(data).decode() == text else None


# Ed25519: points are (x, y, z, t) with x / z, y / z, and t = x * y / z


def add(a, b):
    m, n = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    c, d = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    total = (0, 1, 1, 0)
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def decompress(data):
    y, sign = int.from_bytes(data, "little") & 2**255 - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(public, message, signature):
    point, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if point is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(k, point))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# The log


class Flaw(Exception):
    """file (of a proof: field), offset, seq, sentence."""


def need(is_good, place, text):
    if not is_good:
        raise Flaw(*place, text)


class Note:
    """A checkpoint. Raises ValueError."""

    def __init__(self, text):
        match = NOTE.fullmatch(text)
        if not match or match[1] != match[4]:
            raise ValueError
        self.name, self.size, self.root = match[1], int(match[2]), unbase64(match[3], 32)
        self.signed, signature = text[: match.end(3) + 1].encode(), unbase64(match[5], 68)
        if self.root is None or signature is None:
            raise ValueError
        self.key_hash, self.signature = signature[:4], signature[4:]

    def need_key(self, key, place):
        need(key is not None, place, "its key is not known: behind a purge, give the first one with --key")
        is_its_key = self.key_hash == sha(self.name.encode(), b"\n\x01", key)[:4]
        need(is_its_key and is_signed(key, self.signed, self.signature), place, "a checkpoint is not signed with the key of its segment")


def read_note(data, name, place):
    """Raises Flaw unless it is a checkpoint of this log, if there is a name."""
    try:
        note = Note(data if isinstance(data, str) else data.decode())
    except (ValueError, TypeError, AttributeError):
        raise Flaw(*place, "no checkpoint in its exact form") from None
    need(name in (None, note.name), place, f"a checkpoint of another log, {note.name}")
    return note


def parse_key(text):
    """(name, 32 bytes) of <name>+<hash>+<base64>, or None."""
    name, _, rest = text.strip().partition("+")
    data = unbase64(rest[9:], 33)
    is_key = data is not None and data[0] == 1 and rest[:9] == sha(name.encode(), b"\n", data)[:4].hex() + "+"
    return (name, data[1:]) if is_key else None


def sort_keys(value):
    """By UTF-16 code units, as RFC 8785 has it; Python's order is that of code points. Raises ValueError for what records may not hold."""
    if isinstance(value, dict):
        return {key: sort_keys(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if not isinstance(value, str) and not (isinstance(value, int) and abs(value) < 2**53):
        raise ValueError
    return value


def parse_record(data, seq, place):
    try:
        value = json.loads(data)
        is_good = json.dumps(sort_keys(value), separators=(",", ":"), ensure_ascii=False).encode() == data
    except (ValueError, RecursionError):
        is_good = False
    need(is_good and isinstance(value, dict) and isinstance(value.get("event"), str), place, "a record is no canonical JSON (RFC 8785)")
    need(type(value.get("seq")) is int and value["seq"] == seq, place, f"record {value.get('seq')} stands where record {seq} is expected")
    return value


class Tree:
    """RFC 6962, section 2.1: the complete subtrees of the leaves so far."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def append(self, leaf):
        """The nodes that the leaf completes, in the order of `hashes`."""
        nodes, k = [leaf], self.size
        while k & 1:
            nodes.append(sha(b"\x01", self.peaks.pop(), nodes[-1]))
            k >>= 1
        self.peaks.append(nodes[-1])
        self.size += 1
        return nodes

    def root(self):
        node = self.peaks[-1] if self.peaks else sha()
        for peak in reversed(self.peaks[:-1]):
            node = sha(b"\x01", peak, node)
        return node


def count_nodes(size):
    return 2 * size - bin(size).count("1")


class LogCheck:
    def __init__(self, folder, keys, witnesses, checks_all):
        self.folder, self.keys, self.checks_all = folder, dict(keys), checks_all
        self.hashes = (folder / "hashes").read_bytes() if (folder / "hashes").exists() else b""
        self.tree, self.name, self.key, self.next_key = Tree(), None, None, None
        self.last_size, self.last_time, self.signatures, self.unsigned = 0, 0, 0, 0
        self.counts, self.open, self.ends, self.stubs, self.purges, self.different = {}, set(), {}, 0, [], None
        self.watched = [("head", 0, (folder / "head").read_bytes() if (folder / "head").exists() else b"")]
        for data in witnesses:
            lines = data.splitlines(keepends=True)
            self.watched += [("witness", sum(map(len, lines[:i])), b"".join(lines[i : i + 5])) for i in range(0, len(lines), 5)]
        self.roots = {}

    def read_segments(self):
        names = [path.name for path in self.folder.iterdir() if re.fullmatch(r"\d{8}\.(log|stub)", path.name)]
        kinds = {int(name[:8]): name for name in sorted(names, reverse=True)}
        newest = max(kinds, default=1)
        if newest - 1 in kinds and MAGIC.startswith((self.folder / kinds[newest]).read_bytes().rstrip(b"\0")):
            newest -= 1  # the file of the next segment is made before this one ends
        for number in range(1, newest + 1):
            need(number in kinds, (f"{number:08}.log", None, self.tree.size), "the segment is missing")
            self.read_segment(kinds[number], number, number == newest)
        if self.next_key is not None:
            need(newest + 1 in kinds, (f"{newest + 1:08}.log", None, self.tree.size), "the segment is missing")
            self.read_segment(kinds[newest + 1], newest + 1, True)
        size = 32 * count_nodes(self.tree.size)
        need(len(self.hashes) <= size, ("hashes", size, self.tree.size), "more hashes than the log has records")
        covered = max((purge["last"] for purge, _, _ in self.purges), default=0)
        need(self.stubs <= covered, (f"{self.stubs:08}.stub", None, None), "no record log_purged says that this segment was taken away")

    def read_segment(self, file, number, is_newest):
        data, self.file, self.number, self.key, self.next_key = (self.folder / file).read_bytes(), file, number, self.next_key, None
        wrong = next((i for i in range(16) if data[i : i + 1] != MAGIC[i : i + 1]), None)
        need(wrong is None, (file, wrong, None), 'the file does not begin with "inward audit v1"')
        start, frames, end = self.tree.size, *self.split_frames(data)
        need(is_newest or end == len(data), (file, end, None), "zeros behind the end of a segment that is not the newest")
        if file.endswith(".stub"):
            need([frame[1] for frame in frames] == [0, 2] and self.stubs == number - 1, (file, 16, None), "no stub of one record and one checkpoint")
            self.stubs = number
            self.take_purged(read_note(frames[1][2], self.name, (file, frames[1][0], None)).size - 1)
        for i, (offset, kind, body, digest) in enumerate(frames):
            if kind == 0:
                self.read_record(offset, body, digest, i == len(frames) - 2)
            else:
                self.read_checkpoint(offset, body, i == len(frames) - 1)
        if frames:
            need(frames[-1][1] == 2, (file, frames[-1][0], self.last_size), "records behind the last checkpoint: not signed yet, left by a crash, or damage")
        if not is_newest:
            need(self.next_key is not None, (file, frames[-1][0] if frames else 16, self.tree.size), "the segment does not end with log_rotated")
        self.ends[number] = (start, self.tree.size, self.tree.root(), self.last_time, self.key)

    def split_frames(self, data):
        """Offset, type, body and hash of each; and where the zeros begin."""
        frames, offset, seq = [], 16, self.tree.size
        while offset < len(data):
            if not any(data[offset : offset + 4]):
                nonzero = next((at for at in range(offset, len(data)) if data[at]), None)
                need(nonzero is None, (self.file, nonzero, None), f"a byte that is not zero behind the end at byte {offset}")
                break
            length = int.from_bytes(data[offset : offset + 4], "big")
            end = offset + 4 + length
            digest = sha(data[offset + 4 : end])
            is_good = 2 <= length <= 16385 and data[offset + 4 : offset + 5] in (b"\0", b"\2") and data[end : end + 8] == digest[:8]
            need(is_good, (self.file, offset, seq), "a frame is damaged or cut off: its length, type or check is wrong")
            frames.append((offset, data[offset + 4], data[offset + 5 : end], digest))
            offset, seq = end + 8, seq + (data[offset + 4] == 0)
        return frames, offset

    def differs(self, node, place):
        """Whether `hashes` has another node there; it may end before."""
        stored = self.hashes[32 * place : 32 * place + 32]
        return len(stored) == 32 and stored != node

    def take_purged(self, size):
        while self.tree.size < size:
            k, place = self.tree.size, count_nodes(self.tree.size)
            need(len(self.hashes) >= 32 * place + 32, ("hashes", len(self.hashes), k), "the hashes of purged records are missing")
            for level, node in enumerate(self.append(self.hashes[32 * place : 32 * place + 32])):
                is_good = not self.differs(node, place + level)
                need(is_good, ("hashes", 32 * (place + level), k), "not the hash of the two below it: one of the three was changed")

    def append(self, leaf):
        nodes = self.tree.append(leaf)
        if self.tree.size in self.roots:
            self.roots[self.tree.size] = self.tree.root()
        return nodes

    def read_record(self, offset, body, digest, is_last):
        seq, place = self.tree.size, (self.file, offset, self.tree.size)
        record, first = parse_record(body, seq, place), count_nodes(seq)
        for level, node in enumerate(self.append(digest)):
            if self.different is None and self.differs(node, first + level):
                self.different = (32 * (first + level), offset, seq, level)
        self.read_event(record, place, is_last)

    def read_event(self, record, place, is_last):
        event, time = record["event"], record.get("time")
        need(type(time) is int and 0 <= time < 253402300800000, place, "`time` is no number of milliseconds since 1970")
        if event == "gap" and record.get("cause") == "clock":  # an administrator has put it back
            self.last_time = time
        need(time >= self.last_time - 5000, place, "the time goes back by more than 5 s")
        self.last_time = max(self.last_time, time)
        self.counts[event] = self.counts.get(event, 0) + 1
        need((record["seq"] == 0) == (event == "log_created"), place, "the first record, and no other, is log_created")
        need((event == "log_rotated") <= is_last, place, "log_rotated is not the last record of its segment")
        key = unbase64(record.get("key"), 32)
        if event == "log_created":
            self.name, self.key = f"inward-audit/{record.get('log')}", key
            need(key is not None and (not self.keys or self.keys.get(self.name) == key), place, "the first key of the log is not a trusted one")
        elif event == "log_rotated":
            self.next_key = key
            need(key is not None and record.get("segment") == self.number + 1, place, "log_rotated has not the next segment and its key")
        elif event == "log_purged":
            need(all(type(record.get(name)) is int for name in ("first", "last", "records")), place, "log_purged has not its fields")
            self.check_purge(record, time, place)
            self.purges.append((record, time, place))
        elif event in ("intent", "outcome"):
            request = str(record.get("request"))
            need(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request), place, "`request` is no UUID")
            is_right = (request in self.open) == (event == "outcome") or (event == "outcome" and self.stubs)
            need(is_right, place, "an intent twice, or an outcome without an open intent")
            (self.open.add if event == "intent" else self.open.discard)(request)

    def check_purge(self, record, time, place):
        (first, last), before = (self.ends.get(record[name]) for name in ("first", "last")), self.purges[-1][0]["last"] if self.purges else None
        need(first and last and before in (None, record["first"] - 1), place, "log_purged names segments that are not before it, or leaves some out")
        end, now = (datetime(1970, 1, 1) + timedelta(milliseconds=ms) for ms in (last[3], time))
        is_old = (now.year - 6, now.timetuple()[1:6], now.microsecond) >= (end.year, end.timetuple()[1:6], end.microsecond)
        need(is_old, place, "a segment was purged before its last record was six years old")
        is_right = record["records"] == last[1] - first[0] and unbase64(record.get("root"), 32) == last[2]
        need(is_right, place, "log_purged has another number of records or root than its segments")

    def read_checkpoint(self, offset, body, is_last):
        place = (self.file, offset, self.tree.size - 1)
        note = read_note(body, self.name, place)
        need(self.last_size < note.size == self.tree.size, place, f"a checkpoint of {note.size} records behind {self.tree.size} records")
        at, start, seq, level = self.different or (None, None, None, None)
        if note.root != self.tree.root():
            need(level != 0, (self.file, start, seq), "this record is not the one that was signed")
            need(level is None or not self.file.endswith(".stub"), ("hashes", at, seq), "not the hash of the two below it: one of the three was changed")
            raise Flaw(*place, "the root is not that of the records: one since the checkpoint before was altered, or the checkpoint")
        need(self.different is None, ("hashes", at, seq), "not the hash that the records give")
        self.name, self.last_size = note.name, note.size
        if self.number == 1 and self.key is None:
            self.key = self.keys.get(self.name)
        if (is_last or self.checks_all) and not (self.key is None and self.file == "00000001.stub"):
            self.signatures += 1
            note.need_key(self.key, place)
        else:
            self.unsigned += 1

    def check_watched(self, file, offset, data):
        note = read_note(data, self.name if file == "head" else None, (file, offset, None))
        place = (file, offset, note.size - 1)
        if note.name != self.name:
            return False
        need(note.size <= self.last_size, place, f"the log ends at {self.last_size} records, this has seen {note.size}: cut off, or put back to an older state")
        key = next((key for start, end, _, _, key in self.ends.values() if start < note.size <= end), None)
        if key is not None or self.stubs == 0:
            note.need_key(key, place)
        need(self.roots[note.size] == note.root, place, f"the log had other first {note.size} records when this was signed: there are two histories")
        return True

    def run(self):
        flaws, kept = [], []
        for _, _, data in self.watched:
            try:
                self.roots[Note(data.decode()).size] = None
            except ValueError:
                pass
        try:
            self.read_segments()
        except Flaw as flaw:
            return [flaw]
        for watched in self.watched:
            try:
                kept.append(self.check_watched(*watched))
            except Flaw as flaw:
                flaws.append(flaw)
        if len(kept) > 1 and not any(kept[1:]):
            flaws.append(Flaw("witness", 0, None, "no checkpoint of this log"))
        return flaws


# Proofs: RFC 9162, sections 2.1.3.2 and 2.1.4.2


def fold_inclusion(leaf, index, size, path):
    first, second, root = index, size - 1, leaf
    for node in path:
        if second == 0:
            return None
        if first & 1 or first == second:
            root = sha(b"\x01", node, root)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            root = sha(b"\x01", root, node)
        first, second = first >> 1, second >> 1
    return root if second == 0 and index < size else None


def is_consistent(old, new, path):
    if old.size == new.size or old.size == 0:
        return not path and (old.root == new.root if old.size else old.root == sha())
    first, second = old.size - 1, new.size - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    path = path if first else [old.root, *path]
    if not path:
        return False
    before = after = path[0]
    for node in path[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            before, after = sha(b"\x01", node, before), sha(b"\x01", node, after)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            after = sha(b"\x01", after, node)
        first, second = first >> 1, second >> 1
    return second == 0 and before == old.root and after == new.root


def check_entry(entry, note, field):
    """The record of an entry (`record`, `index`, `path`) that is in the tree of a note."""
    data, path = entry["record"].encode(), [unbase64(node, 32) for node in entry["path"]]
    need(type(entry["index"]) is int, (field + "index", None, None), "no number")
    record = parse_record(data, entry["index"], (field + "record", None, None))
    is_right = None not in path and fold_inclusion(sha(b"\0", data), entry["index"], note.size, path) == note.root
    need(is_right, (field + "path", None, entry["index"]), "does not lead to the root of the checkpoint")
    return record


def check_proof(proof, keys):
    """A line about what was shown."""
    fields = {"inclusion": {"record", "index"}, "consistency": {"old"}}.get(proof["kind"], set()) | {"type", "kind", "path", "checkpoint", "chain"}
    is_proof = proof["type"] == "inward.audit.proof.v1" and set(proof) == fields != {"type", "kind", "path", "checkpoint", "chain"}
    need(is_proof, ("type", None, None), "no proof in its exact form")
    last = read_note(proof["checkpoint"], None, ("checkpoint", None, None))
    key, links, size, ranges = dict(keys).get(last.name), [link for link in proof["chain"] if set(link) != {"created"}], 0, []
    need(key is not None or not keys, ("checkpoint", None, None), "no trusted key is one of this log")
    need(len(links) == len(proof["chain"]) or len(proof["chain"]) == 1, ("chain", None, None), "a link lacks its record")
    if proof["chain"] and "created" in proof["chain"][0]:
        field = "chain[0].created."
        against = read_note(links[0]["checkpoint"], last.name, ("chain[0].checkpoint", None, None)) if links else last
        record, trusted = check_entry(proof["chain"][0]["created"], against, field), key
        key = unbase64(record.get("key"), 32)
        is_first = record["event"] == "log_created" and record["seq"] == 0 and f"inward-audit/{record.get('log')}" == last.name
        need(is_first and trusted in (None, key), (field + "record", None, 0), "not log_created of this log with the trusted key")
    for i, link in enumerate([*links, proof]):
        place = (f"chain[{i}].checkpoint" if i < len(links) else "checkpoint", None, None)
        note = read_note(link["checkpoint"], last.name, place)
        need(note.size > size, place, "sizes must grow along the chain")
        note.need_key(key, place)
        ranges, size = [*ranges, (note.size, key)], note.size
        if i < len(links):
            is_link = set(link) - ({"created"} if i == 0 else set()) == {"record", "index", "path", "checkpoint"}
            record = check_entry(link, note, f"chain[{i}].")
            is_end = record["event"] == "log_rotated" and record.get("segment") == i + 2 and record["seq"] == note.size - 1
            need(is_link and is_end, (f"chain[{i}].record", None, None), "not log_rotated at the end of its segment")
            key = unbase64(record.get("key"), 32)
    if proof["kind"] == "inclusion":
        check_entry(proof, last, "")
        return f"record {proof['index']} of {last.size} of {last.name}:\n{proof['record']}"
    old, path = read_note(proof["old"], last.name, ("old", None, None)), [unbase64(node, 32) for node in proof["path"]]
    need(old.size <= last.size, ("old", None, None), "more records than the other checkpoint")
    old.need_key(next(key for end, key in ranges if old.size <= end), ("old", None, None))
    need(None not in path and is_consistent(old, last, path), ("path", None, None), "the newer tree does not begin with the older one")
    return f"the first {old.size} of {last.size} records of {last.name}"


def run_proof(path, keys):
    try:
        return [], f"shown: {check_proof(json.loads(path.read_bytes()), keys)}"
    except Flaw as flaw:
        return [flaw], "nothing shown"
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Flaw("type", None, None, "no proof in its exact form")], "nothing shown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=pathlib.Path, metavar="FOLDER|PROOF.json")
    parser.add_argument("--key", action="append", default=[], help="first key of the log as it was noted, or a file that has it")
    parser.add_argument("--witness", action="append", default=[], type=pathlib.Path, help="file of checkpoints that a second place keeps")
    parser.add_argument("--all", action="store_true", help="check every signature")
    options = parser.parse_args()
    try:
        keys = [parse_key(text if "+" in text else pathlib.Path(text).read_text()) for text in options.key]
        witnesses = [path.read_bytes() for path in options.witness]
        options.path.stat()
    except OSError as error:
        parser.error(str(error))
    if None in keys:
        parser.error("--key must be <name>+<hash>+<base64>, or a file that has it")
    skipped = [] if keys else ["whether the first key is the one that was noted (--key)"]
    if options.path.is_dir():
        check = LogCheck(options.path, keys, witnesses, options.all)
        flaws = check.run()
        shown = f"log {check.name}: {check.last_size} records in {len(check.ends)} segments, {check.stubs} of them purged; {len(check.open)} open requests"
        shown += "".join(f"\n  {count} {event}" for event, count in sorted(check.counts.items()))
        skipped += [f"{check.unsigned} of {check.unsigned + check.signatures} signatures (--all)"] if check.unsigned else []
        skipped += [] if witnesses else ["whether the whole folder was put back to an older state (--witness)"]
        skipped += ["what stands behind the first flaw"] if flaws else []
    else:
        flaws, shown = run_proof(options.path, keys)
    print(shown, "DAMAGED" if flaws else "INTACT", sep="\n")
    for file, offset, seq, text in (flaw.args for flaw in flaws):
        print("  " + file + (f", byte {offset}" if offset is not None else "") + (f", record {seq}" if seq is not None else "") + f": {text}")
    for text in skipped:
        print("Not checked:", text)
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
