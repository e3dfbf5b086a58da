#include "engine/admin/service.h"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <future>

#include "channels/definition.h"
#include "engine/admin/events.h"
#include "engine/admin/lsp_sessions.h"
#include "engine/admin/query_rights.h"
#include "engine/admin/shape.h"
#include "engine/admin/status_json.h"
#include "engine/base/log.h"
#include "engine/base/metrics.h"
#include "engine/base/text.h"
#include "engine/gateway.h"
#include "engine/limits.h"
#include "engine/security/insecure_settings.h"
#include "engine/security/password.h"
#include "engine/security/site_access.h"

namespace kiln::engine {
namespace {

using base::Error;
using base::ErrorCode;
using base::HttpRequest;
using base::HttpResponse;
using base::Result;
using base::Status;
using base::Task;

constexpr std::string_view kApi = "/api/v1";

HttpResponse respond(Reply reply, const channels::HttpPeer& peer) {
  HttpResponse out;
  out.status = reply.status;
  out.headers = std::move(reply.headers);
  out.headers.set("Content-Type", std::move(reply.type));
  if (!out.headers.has("Cache-Control")) out.headers.set("Cache-Control", "no-store");
  out.body = std::move(reply.body);
  if (reply.stream && peer.stream) {
    peer.stream->next = std::move(reply.stream);
    peer.stream->ended = std::move(reply.stream_ended);
  }
  return out;
}

Caller local_caller(const std::string& from) {
  Caller out;
  out.via = Caller::Via::socket;
  out.user = "local";
  out.name = "this machine";
  out.role = "owner";
  out.rights = Rights::all();
  out.from = from;
  return out;
}

std::optional<Error> check_rights(const RouteSpec& route, const Caller& caller) {
  if (route.right == AdminRight::anybody) return std::nullopt;
  if (!caller.is_known()) return Error{ErrorCode::login_needed, {}, {}, {}};
  if (route.right != AdminRight::login && !caller.rights.has(route.right))
    return Error{
        ErrorCode::right_missing, {}, {}, std::string("it needs the right `") + name_of(route.right) + "`"};
  if (route.also != AdminRight::anybody && !caller.rights.has(route.also))
    return Error{
        ErrorCode::right_missing, {}, {}, std::string("it needs the right `") + name_of(route.also) + "`"};
  return std::nullopt;
}

/// A session is a cookie that the browser sends by itself; the header shows that the page itself asked.
std::optional<Error> check_csrf(const RouteSpec& route, const Caller& caller, const HttpRequest& request) {
  const std::string_view method = route.method;
  if (method == "GET" || caller.via != Caller::Via::session || route.right == AdminRight::anybody)
    return std::nullopt;
  if (equals_in_constant_time(request.headers.get("x-kiln-csrf"), caller.csrf)) return std::nullopt;
  return Error{ErrorCode::csrf_refused, {}, {}, "send the `csrf` of GET /session as X-Kiln-CSRF"};
}

Result<base::JsonDocument> parse_body(const RouteSpec& route, const HttpRequest& request) {
  if (*route.body == '\0') return base::JsonDocument();
  TRY(auto document, base::parse_json(request.body.empty() ? "{}" : std::string_view(request.body),
                                      {limits::kAdminBodyBytesMax, base::limits::kJsonDepthMax}));
  if (!document.root().is_object()) return base::fail(ErrorCode::bad_value, "the body must be a JSON object");
  // A mistyped `dry_run` must not do it for real.
  TRY_VOID(check_shape(document.root(), route.body));
  return document;
}

}  // namespace

std::string audit_detail(const Call& call) {
  std::string out;
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) out += (out.empty() ? "" : "; ") + print_detail(name, value);
  };
  for (const auto& [name, value] : base::parse_query(call.request.query()))
    if (base::is_valid_utf8(value)) add(name, value);
  for (const char* name : {"query", "reason", "to", "ids", "dry_run", "role", "phi_view", "user", "name",
                           "rights", "version", "disabled", "channel", "level", "seconds", "owner", "note", "confirm", "diff", "reset_mfa", "unlock"}) {
    const base::JsonView member = call.body()[name];
    if (member)
      add(name,
          member.is_array() || member.is_object() ? base::print_json(member) : std::string(member.text()));
  }
  return out;
}

AdminService::AdminService(Parts parts)
    : parts_(std::move(parts)),
      events_(std::make_unique<AdminEvents>(*this)),
      lsp_(std::make_unique<LspSessions>(*parts_.clock)),
      login_quota_({.under_way = limits::kLoginsWaitingMax,
                    .under_way_per_client = limits::kLoginsWaitingPerAddressMax,
                    .per_second = limits::kLoginsPerSecond,
                    .burst = limits::kLoginBurst},
                   *parts_.clock),
      started_(parts_.clock->wall()) {
  // A page that computes must not slow messages down.
  constexpr int kNice = 10;
  compute_.post([] { ::setpriority(PRIO_PROCESS, 0, kNice); });  // on Linux: of the thread that runs this
  passwords_.post([] { (void)nobodys_hash(); });  // the first login of a name that nobody has must not cost more
}

AdminService::~AdminService() {
  *alive_ = false;
  for (base::ThreadExecutor* thread : {&compute_, &passwords_, &work_}) {
    std::promise<void> idle;
    thread->post([&idle] { idle.set_value(); });
    idle.get_future().wait();
  }
}

Result<std::unique_ptr<AdminService>> AdminService::open(Parts parts) {
  std::unique_ptr<AdminService> out(new AdminService(std::move(parts)));
  const Parts& p = out->parts_;
  const channels::Options& console = p.gateway->site().server.block("console");
  if (console.has("idle_logoff")) out->rules_.idle_seconds = console.number("idle_logoff") / 1'000;
  out->rules_.require_mfa = console.has("require_mfa") && console.flag("require_mfa");
  TRY(auto accounts, Accounts::open(*p.env, base::join_path(p.data_folder, "users.db")));
  out->logins_.emplace(std::move(accounts), *p.clock, out->rules_);
  TRY(auto audit, AuditLog::open(*p.env, base::join_path(p.data_folder, "audit.db"),
                                 base::join_path(p.data_folder, "audit.key"), base::join_path(p.data_folder, "audit.reserve")));
  out->audit_.emplace(std::move(audit));
  out->look_at_site();
  out->sample();
  return out;
}

void AdminService::sample() {
  history_.add(parts_.clock->wall(), sample_channels(*parts_.gateway));
  struct statvfs found {};
  if (::statvfs(parts_.data_folder.c_str(), &found) == 0)
    disk_ = {std::uint64_t{found.f_bavail} * found.f_frsize, std::uint64_t{found.f_blocks} * found.f_frsize};
  parts_.net->executor().post_after(std::chrono::seconds(StatusHistory::kStepSeconds),
                                    [this, alive = alive_] {
                                      if (*alive && !stopping_) sample();
                                    });
}

void AdminService::look_at_site() {
  const channels::Site& site = parts_.gateway->site();
  certificates_ = certificates_of(site);
  insecure_.clear();
  for (const InsecureSetting& one : insecure_settings(site))
    insecure_.push_back(one.place == "server" ? one.text : one.place + ": " + one.text);
}

Task<void> AdminService::stop() {
  stopping_ = true;
  events_->stop();
  if (console_) {
    auto stopping = console_->stop();
    co_await std::move(stopping);
  }
}

Task<HttpResponse> AdminService::handle_local(HttpRequest request, channels::HttpPeer peer) {
  auto more = extra ? extra(request) : std::nullopt;
  if (more) co_return *more;
  auto handling = handle_api(std::move(request), std::move(peer), true);
  HttpResponse response = co_await std::move(handling);
  co_return response;
}

Task<Result<Caller>> AdminService::identify(HttpRequest request) {
  request.body.clear();
  std::string from = request.peer;
  const bool bearer = request.headers.has("authorization");
  std::function<Result<Caller>(Logins&, AuditLog&)> work =
      [request = std::move(request)](Logins& logins, AuditLog&) { return logins.identify(request); };
  auto asking = with_accounts(std::move(work));
  Result<Caller> caller = co_await std::move(asking);
  if (caller) caller->from = std::move(from);
  if (!caller && bearer) count_refusal();
  co_return caller;
}

Task<HttpResponse> AdminService::handle_api(HttpRequest request, channels::HttpPeer peer, bool local) {
  std::string_view path = request.path();
  if (path.starts_with(kApi)) path.remove_prefix(kApi.size());
  RouteMatch match = find_route(request.method, path);
  if (match.route == nullptr) {
    const bool known = !match.allow.empty();
    Reply reply = error_reply(Error{known ? ErrorCode::route_method : ErrorCode::route_unknown,
                                    {},
                                    {},
                                    "GET /api/v1/openapi.json lists what there is"});
    if (known) reply.headers.set("Allow", match.allow);
    co_return respond(std::move(reply), peer);
  }
  Call call;
  call.gateway = parts_.gateway;
  call.admin = this;
  call.secure = peer.encrypted;
  if (local) {
    call.caller = local_caller(request.peer);
  } else {
    auto asking = identify(request);
    Result<Caller> caller = co_await std::move(asking);
    // Without a session one can still log in.
    if (!caller && match.route->right != AdminRight::anybody)
      co_return respond(error_reply(caller.error()), peer);
    if (caller) call.caller = std::move(*caller);
    call.caller.from = request.peer;
  }
  call.request = std::move(request);
  auto answering = answer(std::move(match), std::move(call));
  Reply reply = co_await std::move(answering);
  co_return respond(std::move(reply), peer);
}

Task<Reply> AdminService::answer(RouteMatch match, Call call) {
  const RouteSpec& route = *match.route;
  const Caller caller = call.caller;
  std::optional<Error> refused = check_csrf(route, caller, call.request);
  if (!refused) refused = check_rights(route, caller);
  const bool recorded = route.recorded != Recorded::never;
  const std::string target(call.request.path().substr(std::min(kApi.size(), call.request.path().size())));
  if (refused) {
    if (recorded && caller.is_known()) {
      auto recording = record(caller, route.action, target, "refused", refused->info().code);
      co_await std::move(recording);
    }
    co_return error_reply(*refused);
  }
  call.values = std::move(match.values);
  for (auto& [name, value] : base::parse_query(call.request.query())) {
    if (!base::is_valid_utf8(value)) co_return error_reply(Error{ErrorCode::invalid_utf8, {}, {}, {}});
    call.values.emplace_back(std::move(name), std::move(value));
  }
  Result<base::JsonDocument> document = parse_body(route, call.request);
  if (!document) co_return error_reply(document.error());
  call.document = std::move(*document);
  const std::string detail = recorded ? audit_detail(call) : std::string();
  if (route.recorded == Recorded::before) {
    auto recording = record(caller, route.action, target, "ok", detail);
    const Status written = co_await std::move(recording);
    if (!written) co_return error_reply(written.error());
  }
  auto running = run(&route, std::move(call));
  Result<Reply> reply = co_await std::move(running);
  if (route.recorded == Recorded::after || (recorded && !reply)) {
    const std::string outcome = reply ? "ok" : "failed";
    const std::string what =
        reply ? detail : reply.error().info().code + std::string(detail.empty() ? "" : "; ") + detail;
    auto recording = record(caller, route.action, target, outcome, what);
    co_await std::move(recording);
  }
  if (!reply) co_return error_reply(reply.error());
  co_return std::move(*reply);
}

Task<Result<Reply>> AdminService::run(const RouteSpec* route, Call call) {
  if (route->task != nullptr) {
    auto task = route->task(std::move(call));
    Result<Reply> reply = co_await std::move(task);
    co_return reply;
  }
  if (!route->on_reader) co_return route->run(call);
  base::Completion<Result<Reply>> read(parts_.net->executor());
  parts_.gateway->reader_executor().post(
      [read, route, call = std::move(call)] { read.set(route->run(call)); });
  Result<Reply> reply = co_await read;
  co_return reply;
}

Task<Status> AdminService::record(Caller caller, std::string action, std::string target, std::string outcome,
                                  std::string detail) {
  AuditRecord entry;
  entry.at = parts_.clock->wall();
  entry.user = std::move(caller.user);
  entry.from = std::move(caller.from);
  entry.action = std::move(action);
  entry.target = std::move(target);
  entry.outcome = std::move(outcome);
  entry.detail = std::move(detail);
  std::function<Status(Logins&, AuditLog&)> work = [entry](Logins&, AuditLog& audit) -> Status {
    const auto written = audit.append(entry);
    if (written) return {};
    base::log(base::LogLevel::error, "audit-not-written",
              {{"error", base::Safe::code(written.error().code)}});
    return base::fail(written.error());
  };
  auto writing = with_accounts(std::move(work));
  const Status written = co_await std::move(writing);
  co_return written;
}

Status AdminService::enter_login(const std::string& address) {
  if (verifying_ >= limits::kLoginsWaitingMax) return base::fail(ErrorCode::too_many_clients, "too many logins at once");
  if (!address.empty() && !login_quota_.enter(address)) {
    base::Metrics::process().counter(base::Metric::rate_limited_total, {"console"}).add();
    return base::fail(ErrorCode::login_locked, "too many logins from this address", {}, "1");
  }
  ++verifying_;
  return {};
}

void AdminService::leave_login(const std::string& address) {
  if (!address.empty()) login_quota_.leave(address);
  --verifying_;
}

Task<Result<bool>> AdminService::verify(std::string password, std::string hash, std::string from) {
  const std::string address = from.empty() ? std::string() : quota_key(from);
  const Status entered = enter_login(address);
  if (!entered) co_return base::fail(entered.error());
  base::Completion<bool> done(parts_.net->executor());
  passwords_.post([done, password = std::move(password), hash = std::move(hash)] {
    done.set(verify_password(password, hash));
  });
  const bool right = co_await done;
  leave_login(address);
  if (!right) count_refusal();
  co_return right;
}

Task<Result<std::string>> AdminService::hash(std::string password, std::string from) {
  const std::string address = from.empty() ? std::string() : quota_key(from);
  const Status entered = enter_login(address);
  if (!entered) co_return base::fail(entered.error());
  base::Completion<Result<std::string>> done(parts_.net->executor());
  passwords_.post([done, password = std::move(password)] { done.set(hash_password(password)); });
  Result<std::string> hashed = co_await done;
  leave_login(address);
  co_return hashed;
}

void AdminService::count_refusal() {
  base::Metrics::process().counter(base::Metric::auth_failures_total, {"console"}).add();
}

void AdminService::collect_accounts() {
  if (stopping_) return;
  work_.post([this] {
    base::Metrics& all = base::Metrics::process();
    all.gauge(base::Metric::breakglass_active).set(std::uint64_t{logins_->open_break_glasses()});
    all.gauge(base::Metric::audit_chain_head_seq).set(audit_->head().number);
  });
}

std::optional<channels::HttpServerStatus> AdminService::console_status() const {
  return console_ ? std::optional(console_->status()) : std::nullopt;
}

}  // namespace kiln::engine
