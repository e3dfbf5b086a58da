#pragma once
// `tls { allow "CN=…" as "MSH-3" }`: which sending application a client certificate may be (security.md D5).

#include <string>
#include <string_view>
#include <vector>

#include "channels/net/tls.h"
#include "channels/options.h"

namespace kiln::channels::detail {

/// The rules of one listener.
class SenderRule {
 public:
  /// `source` are the resolved options of a source; without `tls` or `allow` everybody may send everything.
  explicit SenderRule(const Options& source);
  bool restricts() const { return !rules_.empty(); }
  /// The applications that the certificate of this stream may send as; empty: none.
  std::vector<std::string> names_for(const base::StreamPtr& stream) const;
  std::vector<std::string> names_for(const std::string& subject,
                                     const std::vector<std::string>& alternative_names) const;

 private:
  struct Rule {
    std::string certificate, application;
  };
  std::vector<Rule> rules_;
};

/// True when MSH-3 of the message, or its first component, is one of `names`, byte for byte. A text that does not begin
/// with MSH names nobody.
bool may_send(std::string_view message, const std::vector<std::string>& names);
/// The first message of a frame that may not be sent: of a batch one of its messages, else the frame. Empty when all may.
std::string first_denied(const std::string& frame, const std::vector<std::string>& names);

}  // namespace kiln::channels::detail
