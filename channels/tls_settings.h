#pragma once
// `tls { … }` of a listener or a client: the contexts its options (tls_fields.h) give. Certificates that come from
// file() or cred() are read again when their files have changed, so that renewing one needs no restart.

#include <memory>
#include <string>
#include <vector>

#include "channels/net/tls.h"
#include "channels/options.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"

namespace kiln::channels {

/// One block. Used on one executor. A new file is taken when it makes a usable context (event
/// `certificate-renewed`), else the old one stays in use (`certificate-unusable`, once per change).
class TlsSettings : public std::enable_shared_from_this<TlsSettings> {
 public:
  /// `tls` is resolved; `owner` names it in the log. Errors: bad_certificate, with `tls` as its place.
  static base::Result<std::shared_ptr<TlsSettings>> listener(const Options& tls, base::Env& env,
                                                             const base::Clock& clock, std::string owner);
  static base::Result<std::shared_ptr<TlsSettings>> client(const Options& tls, base::Env& env,
                                                           const base::Clock& clock, std::string owner);

  /// For the connection that begins now; looks at the files at most once a second. Never null.
  std::shared_ptr<const TlsContext> current();
  /// current() as listen_tls() wants it; keeps this object alive.
  TlsContexts contexts();

 private:
  /// A PEM text of the block.
  struct Part {
    std::string file;  ///< empty: fixed
    std::string text;
  };
  TlsSettings(const Options& tls, base::Env& env, const base::Clock& clock, std::string owner, bool server);
  base::Status build();
  void look();
  std::string& part(std::size_t index) { return parts_[index].text; }

  base::Env& env_;
  const base::Clock& clock_;
  std::string owner_;
  bool server_;
  ClientCertificate client_ = ClientCertificate::none;
  bool only_13_ = false;
  std::vector<Part> parts_;
  std::shared_ptr<const TlsContext> context_;
  base::MonoTime looked_{0};
};

}  // namespace kiln::channels
