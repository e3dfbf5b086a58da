// Validation and profiles on any bytes: no crash, findings point into the message, a profile printed and read is the
// same. The first byte chooses what the rest is.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hl7/profile.h"
#include "hl7/validate.h"

namespace {

using namespace kiln::hl7;

void require(bool holds) {
  if (!holds) std::abort();
}

const Validator& with_profile() {
  static const Validator validator = [] {
    auto profile = read_profile(
        R"({"profile":"f","version":"2.5.1","structure":"ORU_R01",
            "rules":{"OBSERVATION":{"max":2},"OBX-6":{"if":{"path":"OBX-2","is":"NM"},"then":"R","else":"X"},
                     "SPECIMEN.OBX-5":{"length":"1..3"},"PID-3.4.1":{"value":["A","B"]},"ZFZ-2":{"type":"DT"}}})");
    require(profile.has_value());
    auto made = Validator::make(std::move(*profile));
    require(made.has_value());
    return std::move(*made);
  }();
  return validator;
}

void check(const Validator& validator, const Message& message) {
  const ValidationReport report = validator.validate(message);
  require(report.errors + report.warnings + report.notes == report.findings.size() + report.dropped);
  require(report.findings.size() <= kiln::base::limits::kHl7FindingsMax);
  std::uint32_t before = 0;
  for (const Finding& finding : report.findings) {
    require(finding.offset <= message.bytes().size() && finding.offset >= before);
    require(finding.location.segment < message.segment_count());
    require(!finding.text.empty());
    before = finding.offset;
  }
  require(report.errors == 0 || !ack_of(report).errors.empty());
}

void round_trip(const Profile& profile) {
  const std::string printed = print_profile(profile);
  const auto again = read_profile(printed);
  require(again.has_value());
  require(print_profile(*again) == printed);
  static_cast<void>(Validator::make(profile));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      if (const auto message = Message::parse(std::string(text))) {
        check(Validator(), *message);
        check(with_profile(), *message);
      }
      break;
    case 1:
      if (const auto profile = read_profile(text)) round_trip(*profile);
      break;
    case 2:
      static_cast<void>(import_profile_xml(text));
      break;
    default:
      if (const auto nodes = parse_structure(text)) {
        const auto again = parse_structure(print_structure(*nodes));
        require(again.has_value() && print_structure(*again) == print_structure(*nodes));
      }
  }
  return 0;
}
