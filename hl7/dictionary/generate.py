#!/usr/bin/env python3
"""Writes hl7/dictionary/generated/ from the dictionary facts (one JSON file per HL7 version).

    generate.py [--facts DIR] [--check]

DIR defaults to ../shared/facts/hl7v2-dictionary beside the repository. --check writes nothing, compares bytes and exits
1 when they differ. The output depends on the facts alone: no clock, no hash order. Developers run it; the build does not.

Form: one pool of strings and arrays of integers. Equal fields, field lists, nodes, node lists, codes, code lists and
tables are stored once for all versions; a list is a run of 16-bit indexes. Nothing in it is a pointer, so the
loader has nothing to relocate.
"""
import argparse
import json
import os
import sys

VERSIONS = ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9"]
USAGES = ["O", "R", "C", "B", "W", "-", "RE", "C(R/X)", "C(RE/X)"]
KINDS = {"segment": 0, "group": 1, "choice": 2, "any": 3}
STATUSES = {None: 0, "N": 1, "B": 2, "deprecated": 3, "retired": 4}
HERE = os.path.dirname(os.path.abspath(__file__))


class Strings:
    """All strings, each once; a reference is (offset << 8 | length in bytes). "" is reference 0."""

    def __init__(self):
        self.used = set()
        self.offsets = {}

    def add(self, text):
        if len(text.encode()) > 255:
            sys.exit(f"string of more than 255 bytes: {text[:60]}")
        self.used.add(text)

    def freeze(self):
        position = 0
        for text in sorted(self.used):
            self.offsets[text] = position
            position += len(text.encode())
        if position >= 1 << 20:
            sys.exit("string pool above 1 MB: widen the references")
        self.size = position

    def ref(self, text):
        data = text or ""
        return self.offsets[data] << 8 | len(data.encode()) if data else 0


class Pool:
    """Records by value, in order of first use."""

    def __init__(self, name, limit=65536):
        self.name, self.limit = name, limit
        self.index, self.rows = {}, []

    def add(self, row):
        if row not in self.index:
            self.index[row] = len(self.rows)
            self.rows.append(row)
            if len(self.rows) > self.limit:
                sys.exit(f"{self.name}: more than {self.limit} records")
        return self.index[row]


class Lists:
    """Runs of record indexes; equal runs are stored once. add() gives (first, count)."""

    def __init__(self):
        self.index, self.items = {}, []

    def add(self, run):
        run = tuple(run)
        if not run:
            return (0, 0)
        if run not in self.index:
            self.index[run] = len(self.items)
            self.items.extend(run)
        return (self.index[run], len(run))


class Tables:
    """Everything that is written, in plain integers once the strings are frozen."""

    def __init__(self, facts):
        self.facts = facts
        self.strings = Strings()
        self.collect_strings()
        self.strings.freeze()
        self.symbols = Pool("symbols", 256)
        self.table_ids = Pool("table ids", 1024)
        self.repetitions = Pool("repetitions", 16)
        self.lengths = Pool("lengths", 1024)
        self.symbols.add("")
        self.table_ids.add("")
        self.fields, self.field_lists = Pool("fields"), Lists()
        self.nodes, self.node_lists = Pool("nodes"), Lists()
        self.codes, self.code_lists = Pool("codes"), Lists()
        self.tables, self.table_lists = Pool("tables"), Lists()
        self.segments, self.segment_lists = Pool("segments"), Lists()
        self.datatypes, self.datatype_lists = Pool("datatypes"), Lists()
        self.structures, self.structure_lists = Pool("structures"), Lists()
        self.events, self.acks, self.ack_answers = [], [], []
        self.ranges = []
        for version in VERSIONS:
            self.add_version(facts[version])

    def collect_strings(self):
        add = self.strings.add
        for text in USAGES:
            add(text)
        for d in self.facts.values():
            for key in ("segments", "datatypes"):
                for name, entry in d[key].items():
                    add(name)
                    add(entry[0])
                    for extra in entry[2:]:
                        add(extra)
                    for f in entry[1] or []:
                        add(f[1])
                        add(f[2])
                        add(f[6 if key == "segments" else 5] or "")
            for name, nodes in d["structures"].items():
                add(name)
                add(name.split("-")[0])
                self.collect_nodes(nodes)
            for event, structure in d["events"].items():
                add(event)
                add(structure)
            for event, answers in d.get("ack", {}).items():
                add(event)
                for answer in answers:
                    for code in answer:
                        add(code)
            for name, (title, _, codes) in d["tables"].items():
                add(name)
                add(title)
                for code in codes:
                    add(code[0])
                    add(code[1])

    def collect_nodes(self, nodes):
        for node in nodes:
            self.strings.add(node[0])
            if len(node) > 3:
                self.collect_nodes(node[3])

    def add_field(self, name, datatype, usage, repetition, length, table, conformance=None, truncation=None):
        # word 0: name reference (28 bits), usage (4); word 1: datatype (8), table (10), repetition (4), lengths (10)
        lengths = self.lengths.add((length or 0, conformance or 0, ord(truncation) if truncation else 0))
        word0 = self.strings.ref(name) << 4 | USAGES.index(usage)
        word1 = (self.symbols.add(datatype) | self.table_ids.add(table or "") << 8 |
                 self.repetitions.add(0 if repetition == "*" else repetition) << 18 | lengths << 22)
        return self.fields.add((word0, word1))

    def check_positions(self, what, fields):
        if [f[0] for f in fields] != list(range(1, len(fields) + 1)):
            sys.exit(f"{what}: positions have gaps")

    def add_nodes(self, nodes):
        run = []
        for node in nodes:
            name, minimum, maximum = node[:3]
            kind = "segment"
            if len(node) > 3:
                kind = "choice" if name == "|" else "group"
            elif name == "*ANY*":
                kind = "any"
            first, count = self.add_nodes(node[3]) if len(node) > 3 else (0, 0)
            if minimum not in (0, 1) or maximum not in (1, "*"):
                sys.exit(f"node {name}: cardinality {minimum}..{maximum}")
            flags = KINDS[kind] | minimum << 4 | (1 if maximum == "*" else 0) << 5
            run.append(self.nodes.add((self.strings.ref(name), flags, first, count)))
        return self.node_lists.add(run)

    def add_version(self, d):
        ref = self.strings.ref
        run = []
        for name, (title, fields) in sorted(d["segments"].items()):
            self.check_positions(name, fields)
            first, count = self.field_lists.add([self.add_field(*f[1:]) for f in fields])
            run.append(self.segments.add((ref(name), ref(title), first, count)))
        ranges = [*self.segment_lists.add(run)]
        run = []
        for name, entry in sorted(d["datatypes"].items()):
            components = entry[1] or []
            self.check_positions(name, components)
            first, count = self.field_lists.add([self.add_field(c[1], c[2], c[3], 1, *c[4:6]) for c in components])
            run.append(self.datatypes.add((ref(name), ref(entry[0]), ref(entry[2] if len(entry) > 2 else ""), first, count)))
        ranges += self.datatype_lists.add(run)
        run = []
        for name, nodes in sorted(d["structures"].items()):
            first, count = self.add_nodes(nodes)
            run.append(self.structures.add((ref(name.split("-")[0]), ref(name), first, count)))
        ranges += self.structure_lists.add(run)
        run = []
        for name, (title, kind, codes) in sorted(d["tables"].items()):
            first, count = self.code_lists.add(
                [self.codes.add((ref(c[0]), ref(c[1]) << 4 | STATUSES[c[2] if len(c) > 2 else None]))
                 for c in sorted(codes, key=lambda c: c[0].encode())])
            run.append(self.tables.add((ref(name), ref(title), count << 8 | ord(kind), first)))
        ranges += self.table_lists.add(run)
        ranges += [len(self.events), len(d["events"])]
        for event, structure in sorted(d["events"].items()):
            # The 2.9 facts spell one structure id both ways (ACK_Scheduling, ACK-Scheduling).
            if structure not in d["structures"] and structure.replace("_", "-") in d["structures"]:
                structure = structure.replace("_", "-")
            self.events.append((ref(event), ref(structure)))
        ranges += [len(self.acks), len(d.get("ack", {}))]
        for event, answers in sorted(d.get("ack", {}).items()):
            row = [ref(event)]
            for answer in answers:
                row += [len(self.ack_answers), len(answer)]
                self.ack_answers += [ref(code) for code in answer]
            self.acks.append(tuple(row))
        self.ranges.append(tuple(ranges))


NOTICE = "// Generated by hl7/dictionary/generate.py; do not edit. Sources and licences: end of LICENSE.\n"


def literal(text):
    out = []
    for byte in text.encode():
        char = chr(byte)
        out.append(char if 32 <= byte < 127 and char not in '"\\?' else "\\%03o" % byte)
    return '"' + "".join(out) + '"'


def strings_file(strings):
    lines = [NOTICE, "// clang-format off\n", '#include "hl7/dictionary/generated/data.h"\n', "namespace kiln::hl7::detail {\n",
             "const char kStrings[] ="]
    lines += ["  " + literal(text) for text in sorted(strings.used) if text]
    lines[-1] += ";"
    return "\n".join(lines) + "\n\n}  // namespace kiln::hl7::detail\n"


def numbers(ctype, name, values):
    if not values:
        values = [0]
    lines, line = [], " "
    for value in values:
        text = f" {value},"
        if len(line) + len(text) > 110:
            lines.append(line)
            line = " "
        line += text
    lines.append(line)
    return f"const {ctype} {name}[] = {{\n" + "\n".join(lines) + "\n};\n"


def data_file(arrays):
    parts = [NOTICE, "// clang-format off\n", '#include "hl7/dictionary/generated/data.h"\n', "namespace kiln::hl7::detail {\n"]
    parts += [numbers(*array) for array in arrays]
    return "\n".join(parts) + "\n}  // namespace kiln::hl7::detail\n"


def flat(rows):
    return [value for row in rows for value in row]


def outputs(tables):
    ref = tables.strings.ref
    files = {
        "fields": [
            ("std::uint32_t", "kFields", flat(tables.fields.rows)),
            ("std::uint16_t", "kFieldLists", tables.field_lists.items),
            ("std::uint32_t", "kSymbols", [ref(s) for s in tables.symbols.rows]),
            ("std::uint32_t", "kTableIds", [ref(s) for s in tables.table_ids.rows]),
            ("std::uint16_t", "kRepetitions", tables.repetitions.rows),
            ("std::uint32_t", "kLengths", flat(tables.lengths.rows)),
            ("std::uint32_t", "kUsages", [ref(s) for s in USAGES]),
            ("std::uint32_t", "kSegments", flat(tables.segments.rows)),
            ("std::uint16_t", "kSegmentLists", tables.segment_lists.items),
            ("std::uint32_t", "kDatatypes", flat(tables.datatypes.rows)),
            ("std::uint16_t", "kDatatypeLists", tables.datatype_lists.items),
        ],
        "structures": [
            ("std::uint32_t", "kNodes", flat(tables.nodes.rows)),
            ("std::uint16_t", "kNodeLists", tables.node_lists.items),
            ("std::uint32_t", "kStructures", flat(tables.structures.rows)),
            ("std::uint16_t", "kStructureLists", tables.structure_lists.items),
            ("std::uint32_t", "kEvents", flat(tables.events)),
            ("std::uint32_t", "kAcks", flat(tables.acks)),
            ("std::uint32_t", "kAckAnswers", tables.ack_answers),
            ("std::uint32_t", "kRanges", flat(tables.ranges)),
        ],
        "tables": [
            ("std::uint32_t", "kCodes", flat(tables.codes.rows)),
            ("std::uint16_t", "kCodeLists", tables.code_lists.items),
            ("std::uint32_t", "kTables", flat(tables.tables.rows)),
            ("std::uint16_t", "kTableLists", tables.table_lists.items),
        ],
    }
    result = {f"{name}.cpp": data_file(arrays) for name, arrays in files.items()}
    result["strings.cpp"] = strings_file(tables.strings)
    declarations = [f"extern const {ctype} {name}[];" for arrays in files.values() for ctype, name, _ in arrays]
    result["data.h"] = (NOTICE + "// The layout is described in generate.py and read in hl7/dictionary/dictionary.cpp only.\n"
                        "#pragma once\n\n#include <cstdint>\n\nnamespace kiln::hl7::detail {\n\n"
                        "extern const char kStrings[];\n" + "\n".join(declarations) + "\n\n}  // namespace kiln::hl7::detail\n")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", default=os.path.join(HERE, "..", "..", "..", "shared", "facts", "hl7v2-dictionary"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    facts = {}
    for version in VERSIONS:
        with open(os.path.join(options.facts, version + ".json"), encoding="utf-8") as file:
            facts[version] = json.load(file)
    folder = os.path.join(HERE, "generated")
    os.makedirs(folder, exist_ok=True)
    different = False
    for name, text in sorted(outputs(Tables(facts)).items()):
        path = os.path.join(folder, name)
        if not options.check:
            with open(path, "w", encoding="ascii", newline="\n") as file:
                file.write(text)
        elif not os.path.exists(path) or open(path, "rb").read() != text.encode("ascii"):
            print(f"{name} differs from what the facts give")
            different = True
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
