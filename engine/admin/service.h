#pragma once
// The admin API of a running site: finds the route, asks who calls and whether they may, records it, runs it.
// Served on DATA/kiln.sock (this machine's owner, all rights) and on `console { listen … }` (login), which
// serves the console too.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "channels/net/http_server.h"
#include "channels/net/net.h"
#include "engine/admin/history.h"
#include "engine/admin/route.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/security/audit_log.h"
#include "engine/security/certificates.h"
#include "engine/security/client_address.h"
#include "engine/security/logins.h"
#include "engine/security/request_quota.h"

namespace kiln::engine {

class AdminEvents;
class LspSessions;

/// Everything on the network's executor unless it says otherwise.
class AdminService {
 public:
  struct Parts {
    Gateway* gateway = nullptr;  ///< outlives the service
    channels::Net* net = nullptr;
    base::Env* env = nullptr;
    const base::Clock* clock = nullptr;
    std::string data_folder;
    std::function<void(const std::string&)> say;
  };
  /// Opens accounts and audit trail. Errors: of their databases.
  static base::Result<std::unique_ptr<AdminService>> open(Parts parts);
  ~AdminService();

  /// Opens the listener of `console { … }`, when the site has one. Errors: io_failed, bad_certificate,
  /// channel_option.
  base::Status listen();
  /// Ends streams and the listener.
  base::Task<void> stop();

  /// One request of the control socket.
  base::Task<base::HttpResponse> handle_local(base::HttpRequest request, channels::HttpPeer peer);

  /// A record of something that a route did not do itself (a job that ended). Durable when the task ends.
  base::Task<base::Status> record(Caller caller, std::string action, std::string target, std::string outcome,
                                  std::string detail);

  /// Runs `work` where accounts and audit trail live, and ends with what it said.
  template <class T>
  base::Task<T> with_accounts(std::function<T(Logins&, AuditLog&)> work);
  /// Verifies a password, or makes a hash, on the thread for it. `from`: the address that asks; empty: nobody is counted.
  /// Errors: too_many_clients; login_locked when that address asks too often.
  base::Task<base::Result<bool>> verify(std::string password, std::string hash, std::string from);
  base::Task<base::Result<std::string>> hash(std::string password, std::string from);
  /// A login, password or token that was not taken, in the figures.
  static void count_refusal();
  /// Writes the gauges about accounts and the audit trail; they follow at once, on the thread that owns them.
  void collect_accounts();
  /// Of the console's listener; nothing without one.
  std::optional<channels::HttpServerStatus> console_status() const;

  /// Runs `work` on the thread for what computes for long: maps of the playground, editors, checks of a site.
  template <class T>
  base::Task<T> compute(std::function<T()> work);

  struct Disk {
    std::uint64_t free = 0, total = 0;  ///< bytes of the data folder's file system; 0: not known
  };
  Disk disk() const { return disk_; }
  const std::vector<CertificateInfo>& certificates() const { return certificates_; }
  /// Settings that weaken something, as they stand in the site.
  const std::vector<std::string>& insecure() const { return insecure_; }
  const StatusHistory& history() const { return history_; }
  base::WallTime started() const { return started_; }
  /// After a change of the site.
  void look_at_site();

  AdminEvents& events() { return *events_; }
  LspSessions& lsp() { return *lsp_; }  ///< on the thread of compute()
  bool is_stopping() const { return stopping_; }
  std::uint16_t port() const { return console_ ? console_->port() : std::uint16_t{0}; }
  const base::Clock& clock() const { return *parts_.clock; }
  Gateway& gateway() { return *parts_.gateway; }

  /// Asked before the routes, for addresses outside /api and /console (health, metrics); may be empty.
  std::function<std::optional<base::HttpResponse>(const base::HttpRequest&)> extra;

 private:
  explicit AdminService(Parts parts);
  base::Task<base::HttpResponse> handle_console(base::HttpRequest request, channels::HttpPeer peer);
  base::Task<base::HttpResponse> handle_api(base::HttpRequest request, channels::HttpPeer peer, bool local);
  /// A place for one more password of that address; leave_login() follows.
  base::Status enter_login(const std::string& address);
  void leave_login(const std::string& address);
  base::Task<Reply> answer(RouteMatch match, Call call);
  base::Task<base::Result<Reply>> run(const RouteSpec* route, Call call);
  base::Task<base::Result<Caller>> identify(base::HttpRequest request);
  std::optional<base::Error> check_origin(const base::HttpRequest& request, bool secure) const;
  std::optional<base::HttpResponse> check_size(const base::HttpRequest& head) const;
  void say_bootstrap();
  void sample();

  Parts parts_;
  // Before what uses them: destroyed after it.
  base::ThreadExecutor work_{"kiln-admin"}, passwords_{"kiln-login"}, compute_{"kiln-compute"};
  std::optional<Logins> logins_;   ///< work_ only
  std::optional<AuditLog> audit_;  ///< work_ only
  LoginRules rules_;
  std::unique_ptr<AdminEvents> events_;
  std::unique_ptr<LspSessions> lsp_;
  std::unique_ptr<channels::HttpServer> console_;
  std::set<std::string> hosts_;  ///< Host fields that are this console's
  ProxyHeader proxy_ = ProxyHeader::none;
  std::size_t verifying_ = 0;
  RequestQuota login_quota_;
  bool stopping_ = false;
  StatusHistory history_;
  Disk disk_;
  std::vector<CertificateInfo> certificates_;
  std::vector<std::string> insecure_;
  base::WallTime started_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// What the record of a request says beside its address: query, and what of the body is no secret.
std::string audit_detail(const Call& call);

template <class T>
base::Task<T> AdminService::with_accounts(std::function<T(Logins&, AuditLog&)> work) {
  base::Completion<T> done(parts_.net->executor());
  work_.post([this, done, work = std::move(work)] { done.set(work(*logins_, *audit_)); });
  T result = co_await done;
  co_return result;
}

template <class T>
base::Task<T> AdminService::compute(std::function<T()> work) {
  base::Completion<T> done(parts_.net->executor());
  compute_.post([done, work = std::move(work)] { done.set(work()); });
  T result = co_await done;
  co_return result;
}

}  // namespace kiln::engine
