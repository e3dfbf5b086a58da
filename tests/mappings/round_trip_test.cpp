// HL7 v2 to FHIR and back by the shipped maps: what must stay stays, and what does not is in a table that is
// generated.

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "golden.h"
#include "hl7/validate.h"
#include "runtime_support.h"

namespace kiln::mappings::test {
namespace {

/// "PID-3.4.2" -> text. The first component and subcomponent have no number.
using Leaves = std::vector<std::pair<std::string, std::string>>;
struct Segment {
  std::string id;
  Leaves leaves;  ///< repetitions one behind the other
};

std::vector<std::string> parts_of(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The samples and the writer use the usual delimiters.
Segment segment_of(const std::string& line) {
  Segment segment;
  const auto fields = parts_of(line, '|');
  segment.id = fields[0];
  const std::size_t shift = segment.id == "MSH" ? 1 : 0;
  for (std::size_t f = shift == 0 ? 1 : 2; f < fields.size(); ++f) {
    const auto repetitions = parts_of(fields[f], '~');
    for (std::size_t r = 0; r < repetitions.size(); ++r) {
      const auto components = parts_of(repetitions[r], '^');
      for (std::size_t c = 0; c < components.size(); ++c) {
        const auto subs = parts_of(components[c], '&');
        for (std::size_t s = 0; s < subs.size(); ++s) {
          if (subs[s].empty()) continue;
          std::string path = segment.id + "-" + std::to_string(f + shift);
          if (r > 0) path += "[" + std::to_string(r + 1) + "]";
          if (c > 0 || s > 0) path += "." + std::to_string(c + 1);
          if (s > 0) path += "." + std::to_string(s + 1);
          segment.leaves.emplace_back(path, subs[s]);
        }
      }
    }
  }
  return segment;
}

std::vector<Segment> segments_of(const std::string& message) {
  std::vector<Segment> segments;
  std::string line;
  for (const char c : message) {
    if (c != '\r' && c != '\n') {
      line += c;
      continue;
    }
    if (!line.empty()) segments.push_back(segment_of(line));
    line.clear();
  }
  return segments;
}

const std::string* value_at(const Segment& segment, const std::string& path) {
  for (const auto& [at, text] : segment.leaves)
    if (at == path) return &text;
  return nullptr;
}

std::string without_repetition(std::string path) {
  const auto open = path.find('[');
  if (open != std::string::npos) path.erase(open, path.find(']') - open + 1);
  return path;
}

struct Fate {
  std::size_t kept = 0, changed = 0, lost = 0, added = 0;
  std::string example;  ///< of the first change
};

struct Table {
  std::vector<std::string> order;
  std::map<std::string, Fate> fates;
  Fate& at(const std::string& path) {
    const std::string key = without_repetition(path);
    if (fates.find(key) == fates.end()) order.push_back(key);
    return fates[key];
  }
};

/// Each segment against the one of its name that has most in common with it.
void compare(const std::string& before, const std::string& after, Table& table) {
  const auto sent = segments_of(before), came = segments_of(after);
  std::vector<bool> taken(came.size());
  const Segment none;
  for (const Segment& segment : sent) {
    std::size_t best = came.size(), most = 0;
    for (std::size_t i = 0; i < came.size(); ++i) {
      if (taken[i] || came[i].id != segment.id) continue;
      std::size_t equal = 1;
      for (const auto& [path, text] : segment.leaves) {
        const std::string* const other = value_at(came[i], path);
        equal += other != nullptr && *other == text;
      }
      if (equal > most) best = i, most = equal;
    }
    if (best < came.size()) taken[best] = true;
    const Segment& other = best < came.size() ? came[best] : none;
    for (const auto& [path, text] : segment.leaves) {
      Fate& fate = table.at(path);
      const std::string* const found = value_at(other, path);
      if (found == nullptr) {
        ++fate.lost;
      } else if (*found == text) {
        ++fate.kept;
      } else {
        ++fate.changed;
        if (fate.example.empty()) fate.example = "`" + text + "` → `" + *found + "`";
      }
    }
    for (const auto& [path, text] : other.leaves)
      if (value_at(segment, path) == nullptr) ++table.at(path).added;
  }
  for (std::size_t i = 0; i < came.size(); ++i) {
    if (taken[i]) continue;
    for (const auto& [path, text] : came[i].leaves) ++table.at(path).added;
  }
}

std::string segment_name(const std::string& path) {
  return path.substr(0, 3);
}
int field_number(const std::string& path) {
  return std::stoi(path.substr(4));
}

/// Why a field does not come back as it was. First match by the beginning of the path.
struct Reason {
  const char* path;
  const char* why;
};
constexpr Reason kReasons[] = {
    {"MSH-10", "a message that is made has a control id of its own; the old one is Bundle.identifier"},
    {"MSH-18", "what is written is UTF-8 and says so"},
    {"EVN-2", "Provenance.recorded"},
    {"PID-13", "the number goes to XTN.1 too, for receivers that read no XTN.12"},
    {"PID-14", "as PID-13"},
    {"NK1-5", "as PID-13"},
    {"PV1-44", "a FHIR time has seconds and a zone"},
    {"PV1-45", "a FHIR time has seconds and a zone"},
    {"AL1-2", "AllergyIntolerance.category is a code without text"},
    {"AL1-4", "criticality and severity are codes without text"},
    {"ORC-9", "ServiceRequest.authoredOn of a new order only"},
    {"OBX-2", "a result without a value has no type"},
    {"OBX-3", "the type of a document is TXA-2"},
    {"OBX-5", "a FHIR time has seconds"},
    {"PV1-20", "a Coverage, which goes back as no segment"},
    {"TQ1-9", "priority is a code without text"},
    {"TQ1-2", "the dose of RXE-3, where 2.5.1 wants it"},
    {"TQ1-11", "Dosage.patientInstruction of RXE-7"},
    {"RXE-5", "the unit is its code"},
    {"RXE-7", "in TQ1-11"},
    {"RXE-9", "what was substituted is not what may be"},
    {"RXE-32", "MedicationRequest.authoredOn"},
    {"TXA-4", "not in the guide's map of TXA"},
    {"TXA-16", "not in the guide's map of TXA"},
    {"SCH-6", "not in the guide's map of SCH; the field is required, the status stands in"},
    {"SCH-8", "the text of the code as its table has it"},
    {"SCH-7", "the translation goes beside the code"},
    {"SCH-25", "Appointment.status is a code without text"},
    {"AI", "the start is that of the appointment, the status that of the participant"},
    {"TQ1", "the time of SCH-11, where 2.5.1 wants it"},
};
std::string reason_of(const std::string& path) {
  for (const Reason& reason : kReasons)
    if (path.rfind(reason.path, 0) == 0) return reason.why;
  return {};
}

std::string page_of(const Table& table, std::size_t messages) {
  std::vector<std::string> paths = table.order;
  std::vector<std::string> segments;
  for (const std::string& path : paths) {
    const std::string name = segment_name(path);
    if (std::find(segments.begin(), segments.end(), name) == segments.end()) segments.push_back(name);
  }
  std::stable_sort(paths.begin(), paths.end(), [&](const std::string& a, const std::string& b) {
    const auto rank = [&](const std::string& path) {
      return std::make_pair(
          std::find(segments.begin(), segments.end(), segment_name(path)) - segments.begin(),
          field_number(path));
    };
    return rank(a) == rank(b) ? a < b : rank(a) < rank(b);
  });
  std::size_t kept = 0, changed = 0, lost = 0, added = 0;
  std::string rows;
  const auto cell = [](std::size_t n) { return n == 0 ? std::string() : std::to_string(n); };
  for (const std::string& path : paths) {
    const Fate& fate = table.fates.at(path);
    kept += fate.kept, changed += fate.changed, lost += fate.lost, added += fate.added;
    const bool stays = fate.changed + fate.lost + fate.added == 0;
    rows += "| " + path + " | " + cell(fate.kept) + " | " + cell(fate.changed) + " | " + cell(fate.lost) +
            " | " + cell(fate.added) + " | " + fate.example + " | " + (stays ? "" : reason_of(path)) + " |\n";
  }
  std::string page =
      "# HL7 v2 to FHIR and back\n\n"
      "Generated: `APPROVE=1 test_mappings \"[round_trip]\"` writes this page, the test compares it.\n\n"
      "The messages of `tests/golden/fhirv2_roundtrip` go through `std.v2fhir`, and what comes of them "
      "through\n"
      "`std.fhirv2`. Each value is counted once: kept, changed, lost, or added on the way. A path without "
      "component is the\n"
      "first one; repetitions are counted under one path.\n\n";
  page += std::to_string(messages) + " messages, " + std::to_string(kept + changed + lost) +
          " values: " + std::to_string(kept) + " kept, " + std::to_string(changed) + " changed, " +
          std::to_string(lost) + " lost; " + std::to_string(added) + " added.\n\n";
  return page +
         "| path | kept | changed | lost | added | change | reason |\n|---|---|---|---|---|---|---|\n" + rows;
}

std::string run_map(const Maps& maps, const char* package, const std::string& suffix,
                    const std::string& text) {
  const Program program = maps.program(package);
  const OwnedInput input(suffix, text, program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  INFO(result.reason);
  CHECK(result.ok());
  return result.output;
}

}  // namespace

TEST_CASE("round trip: identifiers, names, dates, codes, values, units and statuses come back",
          "[round_trip]") {
  const Maps maps("module nothing\n");
  const auto samples = files_of(test_path("golden/fhirv2_roundtrip"), ".hl7");
  REQUIRE(samples.size() >= 8);
  Table table;
  const hl7::Validator validator;
  for (const std::string& sample : samples) {
    INFO(sample);
    const std::string before = read_text(sample);
    const std::string bundle = run_map(maps, "std.v2fhir", ".hl7", before);
    const std::string after = run_map(maps, "std.fhirv2", ".json", bundle);
    const auto message = hl7::Message::parse(after);
    REQUIRE(message);
    CHECK(validator.validate(*message).ok());
    CHECK(segments_of(before)[0].leaves[4] == segments_of(after)[0].leaves[4]);
    compare(before, after, table);
  }
  // What a round trip has to keep, wherever the samples have it.
  for (const char* path :
       {"MSH-3",    "MSH-4",     "MSH-5",   "MSH-6",  "MSH-7",   "MSH-9",   "MSH-9.2", "MSH-9.3", "PID-3",
        "PID-3.4",  "PID-3.4.2", "PID-3.5", "PID-5",  "PID-5.2", "PID-5.3", "PID-7",   "PID-8",   "PID-11",
        "PID-11.3", "PID-11.5",  "PID-15",  "PID-16", "PV1-2",   "PV1-3",   "PV1-3.2", "PV1-3.3", "PV1-7",
        "PV1-7.2",  "PV1-19",    "ORC-2",   "ORC-3",  "OBR-2",   "OBR-3",   "OBR-4",   "OBR-4.2", "OBR-4.3",
        "OBR-7",    "OBR-22",    "OBR-25",  "OBX-6",  "OBX-6.3", "OBX-7",   "OBX-8",   "OBX-11",  "OBX-14",
        "SPM-2",    "SPM-2.2",   "SPM-4",   "SPM-17", "RXA-3",   "RXA-5",   "RXA-5.2", "RXA-5.3", "RXA-6",
        "RXA-7",    "RXA-15",    "RXA-16",  "RXA-17", "RXA-20",  "RXR-1",   "RXR-2",   "SCH-1",   "SCH-2",
        "SCH-9",    "SCH-11.4",  "TXA-12",  "TXA-17", "AL1-3",   "DG1-3",   "DG1-5",   "DG1-6",   "MRG-1"}) {
    INFO(path << " " << table.fates[path].example);
    const Fate& fate = table.fates[path];
    CHECK(fate.kept > 0);
    CHECK(fate.changed + fate.lost == 0);
  }
  check_golden(test_path("../mappings/library/ROUND_TRIP.md"), page_of(table, samples.size()));
}

}  // namespace kiln::mappings::test
