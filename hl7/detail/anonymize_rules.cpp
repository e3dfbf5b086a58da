#include "hl7/detail/anonymize_rules.h"

#include <algorithm>
#include <initializer_list>

#include "engine/base/partial_date.h"
#include "engine/base/text.h"

namespace kiln::hl7::detail {
namespace {

constexpr std::size_t kCodeMax = 20;  ///< characters of what passes as a code

bool among(std::string_view what, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

bool is_one_of(std::uint32_t n, std::initializer_list<std::uint32_t> list) {
  return std::find(list.begin(), list.end(), n) != list.end();
}

bool code_like(std::string_view text) {
  return text.size() <= kCodeMax && std::none_of(text.begin(), text.end(), [](char c) {
           return c == ' ' || c == ',' || static_cast<unsigned char>(c) >= 0x80 ||
                  static_cast<unsigned char>(c) < ' ';
         });
}

/// Degrees, titles, suffixes: "DR", "JR", "III".
bool title_like(std::string_view text) {
  return text.size() <= 5 && code_like(text) && text.find_first_of("0123456789") == text.npos;
}

/// Holds a digit and no space.
bool identifier_like(std::string_view text) {
  return text.find_first_of("0123456789") != text.npos && text.find(' ') == text.npos;
}

Action code(std::string_view text) {
  return code_like(text) ? Action::keep : Action::text;
}

Action title(std::string_view text) {
  return title_like(text) ? Action::keep : Action::text;
}

bool plausible_date(std::string_view text) {
  if (text.size() < 8) return false;
  const auto date = base::PartialDate::parse_hl7(text);
  return date && date->year >= 1850 && date->year <= 2150;
}

/// A value whose type nobody states.
Action unknown(std::string_view text) {
  if (text.size() <= 1) return Action::keep;
  if (plausible_date(text)) return Action::date;
  return identifier_like(text) ? Action::identifier : Action::text;
}

/// Names of codes of these systems come from the system, not from somebody's keyboard.
bool is_public_system(std::string_view system) {
  return system.starts_with("HL7") || system.starts_with("ICD") || system.starts_with("I9") ||
         system.starts_with("I10") ||
         among(system, {"LN", "LOINC", "SCT", "SNM", "UCUM", "ISO+", "ISO3166", "CVX", "MVX", "NDC", "RXNORM",
                        "CPT", "C4", "C5", "CDCREC", "ATC", "NUCC"});
}

Action coded(const Place& place, std::string_view text, std::string_view system) {
  switch (place.component) {
    case 2:
    case 5:
    case 11:
      return is_public_system(system) ? Action::keep : Action::text;
    case 9:
      return Action::text;
    default:
      return code(text);
  }
}

Action person(std::uint32_t position, bool with_id, const Place& place, std::string_view text) {
  if (with_id && position == 1) return Action::identifier;
  const std::uint32_t n = with_id ? position - 1 : position;
  if (n <= 3) return Action::name;
  if (n <= 6) return title(text);
  if (with_id && position == 11 && place.type != "ID") return Action::check_digit;
  if (among(place.type, {"DT", "TS", "DTM"})) return Action::date;
  if (!with_id && position == 15) return Action::name;
  return place.type == "ST" ? title(text) : code(text);
}

Action address_part(std::uint32_t position, const Place& place, std::string_view text) {
  if (is_one_of(position, {1, 2, 3, 8, 9})) return Action::address;
  if (position == 4) return text.size() <= 3 ? Action::keep : Action::address;
  if (is_one_of(position, {5, 10})) return Action::digits;
  if (among(place.type, {"DT", "TS", "DTM"})) return Action::date;
  return code(text);
}

Action contact_part(std::uint32_t position, std::string_view text) {
  if (is_one_of(position, {1, 4, 6, 7, 8, 12})) return Action::digits;
  if (position == 9) return Action::text;
  return code(text);
}

/// Fields of type ST that identify, whatever they look like.
bool is_identifier_field(std::string_view field) {
  return among(field, {"MSH-10", "MSH-14", "MSA-2", "DSC-1", "FHS-11", "FHS-12", "BHS-11", "BHS-12", "PID-19",
                       "NK1-37", "GT1-19", "IN1-8", "IN1-36", "IN2-2"});
}

/// Types whose texts are markers and units, not words.
bool is_marker_type(std::string_view type) {
  return among(
      type, {"HD", "MSG", "VID", "PT",  "ERL", "ELD", "SN",  "NR",  "CP",  "MO",  "CQ",  "TQ",  "RI", "RPT",
             "NA", "MA",  "VR",  "CCD", "FC",  "DLD", "RMC", "PTA", "OCD", "UVC", "MOP", "CSU", "WVI"});
}

Action by_primitive(const Place& place, std::string_view text) {
  const std::string_view type = place.type;
  if (among(type, {"DT", "TS", "DTM"})) return Action::date;
  if (among(type, {"NM", "SI", "TM", "SN"})) return code_like(text) ? Action::keep : Action::text;
  if (among(type, {"ID", "IS"})) return code(text);
  if (type == "TN") return Action::digits;
  if (type == "PN" || type == "CN") return Action::name;
  if (type == "AD") return Action::address;
  if (type == "CK") return Action::identifier;
  if (among(type, {"FT", "TX", "GTS", "CF"})) return Action::text;
  if (type != "ST") return unknown(text);
  if (is_identifier_field(place.field)) return Action::identifier;
  if (among(place.field, {"OBX-4", "OBX-7"})) return code(text);
  if (among(place.field, {"OBX-5", "NTE-3"})) return Action::text;
  if (is_marker_type(place.parent)) return code(text);
  if (text.size() <= 1) return Action::keep;
  return identifier_like(text) ? Action::identifier : Action::text;
}

}  // namespace

bool is_coded(std::string_view type) {
  return among(type, {"CE", "CWE", "CNE", "CF"});
}

bool is_birth(std::string_view field) {
  return among(field, {"PID-7", "NK1-16", "GT1-8", "IN1-18"});
}

Action action_for(const Place& place, std::string_view text, std::string_view system) {
  const std::string_view outer = place.outer, parent = place.parent;
  // Names of character sets hold spaces.
  if (place.field == "MSH-18") return Action::keep;
  if (outer == "PL") {
    if (is_one_of(place.component, {1, 2, 3, 7, 8, 10})) return Action::location;
    return place.component == 9 ? Action::text : code(text);
  }
  if (parent == "FN") return Action::name;
  if (is_coded(outer) && place.parent == outer) return coded(place, text, system);
  if (parent == "SAD") return Action::address;
  if (among(outer, {"XPN", "PN"}) && parent == outer) return person(place.position, false, place, text);
  if (among(parent, {"XCN", "CN", "PPN", "CNN"})) return person(place.position, true, place, text);
  if (among(parent, {"XAD", "AD"})) return address_part(place.position, place, text);
  if (parent == "XTN") return contact_part(place.position, text);
  if (among(parent, {"CX", "CK"}) && place.position <= 2)
    return place.position == 1 ? Action::identifier : Action::check_digit;
  if (among(parent, {"EI", "DLN"}) && place.position == 1) return Action::identifier;
  if (parent == "XON" && is_one_of(place.position, {1, 3, 10}))
    return place.position == 1 ? Action::organisation : Action::identifier;
  if (parent == "ED" || parent == "RP")
    return place.position == (parent == "ED" ? 5u : 1u) ? Action::document : code(text);
  if (is_coded(parent)) return is_one_of(place.position, {2, 5, 9, 11}) ? Action::text : code(text);
  if (among(parent, {"HD", "EI"})) return text.size() <= 3 * kCodeMax ? Action::keep : Action::text;
  return by_primitive(place, text);
}

AnonymizeRule rule_of(Action action, const Place& place) {
  switch (action) {
    case Action::name:
      return AnonymizeRule::name;
    case Action::organisation:
      return AnonymizeRule::organisation;
    case Action::identifier:
    case Action::check_digit:
      return AnonymizeRule::identifier;
    case Action::location:
      return AnonymizeRule::location;
    case Action::digits:
      return among(place.parent, {"XAD", "AD"}) ? AnonymizeRule::address : AnonymizeRule::contact;
    case Action::address:
      return AnonymizeRule::address;
    case Action::date:
      return AnonymizeRule::date;
    case Action::document:
      return AnonymizeRule::document;
    case Action::text:
    case Action::keep:
      break;
  }
  return AnonymizeRule::text;
}

}  // namespace kiln::hl7::detail
