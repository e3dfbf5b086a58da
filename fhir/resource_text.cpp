#include "fhir/resource_text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <vector>

#include "fhir/definitions/definitions.h"

namespace kiln::fhir {
namespace {

using base::JsonKind;
using base::JsonView;
using base::JsonWriter;

/// Where the writer is, from the resource down; only looked at when a text is in the map.
struct Frame {
  const Frame* parent;
  std::string_view key;
  std::string_view resource_type;  ///< of a resource (the root or a contained one): definitions start here
};

/// The FHIR type of the primitive at `frame`; empty when the definitions do not know the path.
std::string_view type_at(const Frame* frame) {
  std::vector<std::string_view> keys;
  while (frame && frame->resource_type.empty()) {
    keys.push_back(frame->key);
    frame = frame->parent;
  }
  const TypeDef* type = frame ? find_resource_type(frame->resource_type) : nullptr;
  for (auto key = keys.rbegin(); key != keys.rend() && type; ++key)
    type = type->element_by_json_name(*key).content();
  return type ? type->name() : std::string_view();
}

class RewritingWriter {
 public:
  RewritingWriter(JsonWriter& out, const ReferenceRewrite& references) : out_(out), references_(references) {}

  void write(JsonView value, const Frame& frame) {
    if (value.is_object()) {
      const bool is_resource = frame.key == "contained" || frame.key == "resource";
      const std::string_view resource_type = is_resource ? value["resourceType"].text() : std::string_view();
      const Frame own{frame.parent, frame.key, resource_type};
      const Frame& here = resource_type.empty() ? frame : own;
      out_.begin_object();
      for (const JsonView member : value) {
        out_.key(member.key());
        write(member, Frame{&here, member.key(), {}});
      }
      out_.end_object();
    } else if (value.is_array()) {
      out_.begin_array();
      for (const JsonView item : value) write(item, frame);
      out_.end_array();
    } else if (value.is_string()) {
      write_string(value, frame);
    } else {
      out_.value(value);
    }
  }

 private:
  void write_string(JsonView value, const Frame& frame) {
    const std::string_view text = value.text();
    if (frame.key == "reference") {
      if (const auto renamed = references_.reference(text)) {
        out_.string(*renamed);
        return;
      }
    } else if (frame.key == "div") {
      out_.string(rewrite_narrative(text));
      return;
    } else if (const std::string_view to = references_.map->find(text); !to.empty()) {
      const std::string_view type = type_at(&frame);
      if (type == "uri" || type == "url" || type == "oid" || type == "uuid") {
        out_.string(to);
        return;
      }
    }
    out_.value(value);
  }

  /// Replaces the values of href and src attributes that are in the map.
  std::string rewrite_narrative(std::string_view text) const {
    std::string out;
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t equals = text.find('=', at);
      if (equals == std::string_view::npos || equals + 1 >= text.size()) break;
      at = equals + 1;
      const std::string_view before = text.substr(0, equals);
      const bool attribute = before.size() > 5 && (before.substr(before.size() - 4) == "href" ||
                                                   before.substr(before.size() - 3) == "src");
      const char quote = text[at];
      if (!attribute || (quote != '"' && quote != '\'')) continue;
      const std::size_t end = text.find(quote, at + 1);
      if (end == std::string_view::npos) break;
      if (const auto renamed = references_.reference(text.substr(at + 1, end - at - 1))) {
        out.append(text.substr(copied, at + 1 - copied)).append(*renamed);
        copied = end;
      }
      at = end + 1;
    }
    out.append(text.substr(copied));
    return out;
  }

  JsonWriter& out_;
  const ReferenceRewrite& references_;
};

/// Members of meta but the two that the server owns.
void write_meta_rest(std::string& out, JsonView meta, const ReferenceRewrite& references) {
  for (const JsonView member : meta) {
    if (member.key() == "versionId" || member.key() == "lastUpdated" || member.key() == "_versionId" ||
        member.key() == "_lastUpdated")
      continue;
    JsonWriter writer;
    if (references.map && !references.map->empty()) {
      RewritingWriter(writer, references).write(member, Frame{nullptr, member.key(), {}});
    } else {
      writer.value(member);
    }
    out.push_back(',');
    base::append_json_string(out, member.key());
    out.push_back(':');
    out += writer.str();
  }
}

constexpr std::string_view kUpdatedKey = "\",\"lastUpdated\":\"";
constexpr std::size_t kInstantSize = 24;

struct Civil {
  int year;
  unsigned month, day, hour, minute, second, millis, weekday;
};

Civil civil_of(base::WallTime time) {
  namespace ch = std::chrono;
  const ch::sys_time<ch::microseconds> point{ch::microseconds{time.micros}};
  const auto day = ch::floor<ch::days>(point);
  const ch::year_month_day date{day};
  const auto rest = static_cast<std::uint64_t>((point - day).count());
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<unsigned>(rest / 3'600'000'000),
          static_cast<unsigned>(rest / 60'000'000 % 60),
          static_cast<unsigned>(rest / 1'000'000 % 60),
          static_cast<unsigned>(rest / 1000 % 1000),
          ch::weekday{day}.c_encoding()};
}

void put_digits(std::string& out, unsigned value, unsigned width) {
  char digits[10];
  for (unsigned i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, width);
}

constexpr std::array<std::string_view, 7> kWeekdays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

ResourceText::ResourceText(JsonView resource, std::string_view id, const ReferenceRewrite& references) {
  head_ = "{\"resourceType\":";
  base::append_json_string(head_, resource["resourceType"].text());
  head_ += ",\"id\":";
  base::append_json_string(head_, id);
  head_ += ",\"meta\":{\"versionId\":\"";
  tail_ = "\"";
  write_meta_rest(tail_, resource["meta"], references);
  tail_ += "}";

  const bool rewrite = references.map && !references.map->empty();
  JsonWriter out;
  RewritingWriter writer(out, references);
  const Frame root{nullptr, {}, resource["resourceType"].text()};
  out.begin_object();
  bool any = false;
  for (const JsonView member : resource) {
    if (member.key() == "resourceType" || member.key() == "id" || member.key() == "meta") continue;
    out.key(member.key());
    any = true;
    if (rewrite) {
      writer.write(member, Frame{&root, member.key(), {}});
    } else {
      out.value(member);
    }
  }
  out.end_object();
  // The members follow those already written: "{…}" becomes ",…}".
  if (any)
    tail_ += "," + out.str().substr(1);
  else
    tail_ += "}";
}

std::string ResourceText::with_version(std::int64_t vid, base::WallTime updated) const {
  std::string out;
  const std::string number = std::to_string(vid);
  out.reserve(head_.size() + number.size() + kUpdatedKey.size() + kInstantSize + tail_.size());
  out.append(head_).append(number).append(kUpdatedKey).append(print_instant(updated)).append(tail_);
  return out;
}

bool ResourceText::is(std::string_view body, std::int64_t vid, base::WallTime updated) const {
  return body.size() >= head_.size() + tail_.size() && body.substr(0, head_.size()) == head_ &&
         body.substr(body.size() - tail_.size()) == tail_ && body == with_version(vid, updated);
}

std::string print_instant(base::WallTime time) {
  const Civil civil = civil_of(time);
  std::string out;
  out.reserve(kInstantSize);
  put_digits(out, static_cast<unsigned>(civil.year), 4);
  out.push_back('-');
  put_digits(out, civil.month, 2);
  out.push_back('-');
  put_digits(out, civil.day, 2);
  out.push_back('T');
  put_digits(out, civil.hour, 2);
  out.push_back(':');
  put_digits(out, civil.minute, 2);
  out.push_back(':');
  put_digits(out, civil.second, 2);
  out.push_back('.');
  put_digits(out, civil.millis, 3);
  out.push_back('Z');
  return out;
}

std::string print_http_date(base::WallTime time) {
  const Civil civil = civil_of(time);
  std::string out(kWeekdays[civil.weekday]);
  out += ", ";
  put_digits(out, civil.day, 2);
  out.append(" ").append(kMonths[civil.month - 1]).append(" ");
  put_digits(out, static_cast<unsigned>(civil.year), 4);
  out.push_back(' ');
  put_digits(out, civil.hour, 2);
  out.push_back(':');
  put_digits(out, civil.minute, 2);
  out.push_back(':');
  put_digits(out, civil.second, 2);
  out += " GMT";
  return out;
}

bool parse_http_date(std::string_view text, base::WallTime& out) {
  // "Wed, 01 May 2024 10:00:00 GMT"; the two obsolete forms are ignored, as RFC 9110 lets a recipient of a
  // bad date do.
  if (text.size() != 29 || text.substr(25) != " GMT" || text.substr(3, 2) != ", ") return false;
  const auto number = [&](std::size_t at, std::size_t size, unsigned& value) {
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + size, value);
    return error == std::errc() && end == text.data() + at + size;
  };
  unsigned day = 0, year = 0, hour = 0, minute = 0, second = 0, month = 0;
  if (!number(5, 2, day) || !number(12, 4, year) || !number(17, 2, hour) || !number(20, 2, minute) ||
      !number(23, 2, second))
    return false;
  while (month < 12 && kMonths[month] != text.substr(8, 3)) ++month;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month + 1), std::chrono::day(day)};
  if (month == 12 || !date.ok() || hour > 23 || minute > 59 || second > 60) return false;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  out.micros = ((static_cast<std::int64_t>(days) * 24 + hour) * 3600 + minute * 60 + second) * 1'000'000;
  return true;
}

}  // namespace kiln::fhir
