#pragma once
// The stored text of a resource: as sent, but with id and meta of the server and with references rewritten.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "fhir/reference.h"

namespace kiln::fhir {

/// A resource ready to be stored under any version number. Numbers and member order are kept; resourceType,
/// id and meta come first; versionId and lastUpdated of the sender are dropped.
class ResourceText {
 public:
  /// `resource` is an object with a resourceType. References are rewritten in Reference.reference, in
  /// elements of type uri, url, oid and uuid, and in href and src of the narrative; never in canonical
  /// elements (fhir.md T3).
  ResourceText(base::JsonView resource, std::string_view id, const ReferenceRewrite& references);
  std::string with_version(std::int64_t vid, base::WallTime updated) const;
  /// True when `body` is this content under that version.
  bool is(std::string_view body, std::int64_t vid, base::WallTime updated) const;

 private:
  std::string head_, tail_;
};

/// FHIR instant in UTC with milliseconds: "2024-05-01T10:00:00.123Z".
std::string print_instant(base::WallTime time);
/// HTTP-date of RFC 9110: "Wed, 01 May 2024 10:00:00 GMT".
std::string print_http_date(base::WallTime time);
/// The seconds of an HTTP-date in its preferred form as WallTime; false when it is none.
bool parse_http_date(std::string_view text, base::WallTime& out);

}  // namespace kiln::fhir
