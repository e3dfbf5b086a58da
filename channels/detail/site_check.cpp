// Checks between the parts of a site (hmap.md §20).

#include <algorithm>
#include <map>
#include <set>

#include "channels/connectors/detail/common.h"
#include "channels/detail/exposure.h"
#include "channels/detail/site_builder.h"
#include "channels/egress.h"
#include "channels/postgres_fields.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"

namespace kiln::channels::detail {

namespace ast = mappings::ast;
using base::Diagnostics;
using base::ErrorCode;

namespace {

/// What one condition says about one path: its text is (or is not) among these.
struct Constraint {
  bool negated = false;
  std::set<std::string> values;
};

std::string text_of(const ast::Expr& expr, const base::SourceMap& sources) {
  std::string out;
  for (const char c : sources.text(expr.span))
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') out += c;
  return out;
}

const std::string* literal_of(const ast::Expr& expr) {
  const auto* literal = expr.get_if<ast::Literal>();
  return literal == nullptr ? nullptr : &literal->text;
}

void collect(const ast::Expr& expr, const base::SourceMap& sources, bool negated,
             std::map<std::string, Constraint>& out) {
  if (const auto* inner = expr.get_if<ast::Not>()) {
    if (const auto* pair = inner->operand->get_if<ast::Binary>();
        pair == nullptr || pair->op != ast::BinaryOp::logical_and)
      collect(*inner->operand, sources, !negated, out);
    return;
  }
  if (const auto* is = expr.get_if<ast::Is>(); is != nullptr && is->kind == ast::Is::Kind::valued) {
    out.try_emplace(text_of(*is->operand, sources) + " valued", Constraint{is->negated != negated, {"yes"}});
    return;
  }
  const auto* binary = expr.get_if<ast::Binary>();
  if (binary == nullptr) return;
  if (binary->op == ast::BinaryOp::logical_and && !negated) {
    collect(*binary->left, sources, false, out);
    collect(*binary->right, sources, false, out);
    return;
  }
  Constraint constraint;
  if (binary->op == ast::BinaryOp::eq || binary->op == ast::BinaryOp::ne) {
    const std::string* value = literal_of(*binary->right);
    if (value == nullptr) return;
    constraint.values.insert(*value);
    constraint.negated = (binary->op == ast::BinaryOp::ne) != negated;
  } else if (binary->op == ast::BinaryOp::in) {
    const auto* list = binary->right->get_if<ast::List>();
    if (list == nullptr) return;
    for (const auto& item : list->items) {
      const std::string* value = literal_of(*item);
      if (value == nullptr) return;
      constraint.values.insert(*value);
    }
    constraint.negated = negated;
  } else {
    return;
  }
  out.try_emplace(text_of(*binary->left, sources), std::move(constraint));
}

bool disjoint(const Constraint& a, const Constraint& b) {
  if (a.negated && b.negated) return false;
  if (!a.negated && !b.negated)
    return std::ranges::none_of(a.values, [&](const auto& value) { return b.values.contains(value); });
  const Constraint& only = a.negated ? b : a;
  const Constraint& except = a.negated ? a : b;
  return std::ranges::all_of(only.values, [&](const auto& value) { return except.values.contains(value); });
}

bool is_any(std::string_view host) {
  return host == "0.0.0.0" || host == "::" || host == "[::]";
}

struct Endpoint {
  std::string host, port, owner;
  base::Span span;
};

class Checker {
 public:
  Checker(const mappings::Library& library, const PendingSite& site, Diagnostics& diagnostics)
      : library_(library), site_(site), diagnostics_(diagnostics) {}

  void check() {
    for (const PendingChannel& channel : site_.channels) {
      check_results(channel);
      check_taken(channel.definition);
      for (const auto& destination : channel.definition.destinations) check_destination(destination);
      check_tls(channel.definition.source_options);
    }
    check_exposures();
    check_http_tls(site_.server.block("http"));
    check_access();
    check_ports();
    check_connections();
    check_chains();
    check_cycles();
    check_lookups();
    check_queries();
  }

 private:
  static base::Span span_of(const Options& options, std::string_view name, base::Span otherwise) {
    const OptionValue* value = options.find(name);
    const bool written = value != nullptr && value->origin != OptionValue::Origin::default_value;
    return written ? value->span : otherwise;
  }

  void check_exposures() {
    std::vector<Exposure> found;
    for (const PendingChannel& channel : site_.channels)
      if (auto one = find_exposure(channel.definition)) found.push_back(std::move(*one));
    for (Exposure& one : find_exposures(site_.server)) found.push_back(std::move(one));
    for (const Exposure& one : found) report(diagnostics_, one.code, one.span, one.message, one.help);
  }

  void check_http_tls(const Options& http) {
    const OptionValue* tls = http.find("tls");
    if (tls == nullptr || tls->block.empty()) return;
    check_client_certificates(*tls);
  }

  /// Client certificates need somebody who signs them; rules about them need them.
  void check_client_certificates(const OptionValue& tls) {
    const Options& block = tls.block.front();
    if (find_field(block.fields(), "client") == nullptr) return;
    if (block.text("client") != "none" && !block.has("client_ca"))
      report(diagnostics_, ErrorCode::E0910, tls.span, "`tls` asks for client certificates without `client_ca`",
             "client_ca file(\"…\")");
    if (block.has("allow") && block.text("client") != "required")
      report(diagnostics_, ErrorCode::E0910, tls.span, "`allow` speaks of client certificates, and `tls` requires none",
             "client required");
  }

  /// Users, their roles, and what the roles name.
  void check_access() {
    const Options& access = site_.server.block("fhir").block("access");
    std::vector<std::string_view> names = {"reader", "writer", "admin"};
    if (const auto* roles = access.all("role"))
      for (const OptionValue& role : *roles) {
        if (std::find(names.begin(), names.end(), role.text) != names.end())
          report(diagnostics_, ErrorCode::E0900, role.span, "role " + role.text + " is there already");
        names.push_back(role.text);
        for (const char* list : {"read", "write"}) check_types(role.block.front(), list);
      }
    const auto* users = access.all("user");
    const bool shows_certificates = site_.server.block("http").block("tls").text("client") == "optional" ||
                                    site_.server.block("http").block("tls").text("client") == "required";
    if (users == nullptr) return;
    for (const OptionValue& user : *users) {
      const Options& options = user.block.front();
      if (!options.has("token") && !options.has("certificate"))
        report(diagnostics_, ErrorCode::E0905, user.span, "user " + user.text + " needs `token` or `certificate`");
      if (options.has("certificate") && !shows_certificates)
        report(diagnostics_, ErrorCode::E0900, user.span,
               "user " + user.text + " has a certificate, but the listener asks for none",
               "`http { tls { client required; client_ca … } }`");
      const auto* roles = options.all("role");
      if (roles == nullptr) continue;
      for (const OptionValue& role : *roles)
        if (std::find(names.begin(), names.end(), role.text) == names.end())
          report(diagnostics_, ErrorCode::E0900, role.span, "there is no role " + role.text,
                 did_you_mean(role.text, names));
    }
  }

  void check_types(const Options& role, const char* list) {
    const OptionValue* value = role.find(list);
    if (value == nullptr || !value->resolved) return;
    for (const std::string_view type : base::split(value->text, ' '))
      if (!type.empty() && type != "*" && fhir::find_resource_type(type) == nullptr)
        report(diagnostics_, ErrorCode::E0900, value->span,
               "`" + std::string(type) + "` is no resource type of FHIR R4");
  }

  /// `via sql "name"` asks a `query name { … }` of kiln.conf.
  void check_lookups() {
    std::vector<std::string_view> names;
    if (const auto* queries = site_.server.all("query"))
      for (const OptionValue& query : *queries) names.push_back(query.text);
    for (const auto& declaration : library_.declarations()) {
      const auto* lookup = declaration->decl->get_if<ast::LookupDecl>();
      if (lookup == nullptr || declaration->file->shipped || lookup->via.text != "sql" ||
          std::find(names.begin(), names.end(), lookup->query.text) != names.end())
        continue;
      report(diagnostics_, ErrorCode::E0412, lookup->query.span,
             "kiln.conf has no query `" + lookup->query.text + "`",
             names.empty() ? "query " + lookup->query.text + " { file \"…\"; sql \"select … where … = :" +
                                 (lookup->params.empty() ? std::string("key") : lookup->params.front().name.text) +
                                 "\" }"
                           : did_you_mean(lookup->query.text, names));
    }
  }

  void check_queries() {
    const auto* queries = site_.server.all("query");
    if (queries == nullptr) return;
    for (const OptionValue& query : *queries) {
      if (query.block.empty()) continue;
      for (const OptionProblem& problem : check_sql(query.block.front()))
        report(diagnostics_, problem.code, span_of(query.block.front(), problem.option, query.span), problem.message,
               problem.help);
    }
  }

  void check_ports() {
    std::vector<Endpoint> seen;
    const auto add = [&](const std::string& address, const std::string& owner, base::Span span) {
      if (address.empty()) return;
      Endpoint one{address.substr(0, address.rfind(':')), address.substr(address.rfind(':') + 1), owner,
                   span};
      for (const Endpoint& other : seen)
        if (other.port == one.port && (other.host == one.host || is_any(other.host) || is_any(one.host))) {
          report(diagnostics_, ErrorCode::E0903, span,
                 "port " + one.port + " is taken by " + other.owner + " and " + owner,
                 "one listener; route with `map … if`, or bind to different addresses");
          return;
        }
      seen.push_back(std::move(one));
    };
    const Options& http = site_.server.block("http");
    const OptionValue* listen = http.find("listen");
    if (listen != nullptr && listen->resolved) add(listen->text, "the FHIR server", listen->span);
    const OptionValue* console = site_.server.block("console").find("listen");
    if (site_.server.has("console") && console != nullptr && console->resolved)
      add(console->text, "the console", console->span);
    for (const PendingChannel& pending : site_.channels) {
      const ChannelDefinition& channel = pending.definition;
      if (channel.disabled || channel.source == nullptr || channel.source->listens_on == nullptr) continue;
      add(channel.source->listens_on(channel.source_options), "channel " + channel.name,
          span_of(channel.source_options, "port", channel.span));
    }
  }

  /// Two map statements of one name need conditions that exclude each other and one type (E0906); a result
  /// nobody sends is W0916.
  void check_results(const PendingChannel& channel) {
    const auto& maps = channel.definition.maps;
    for (std::size_t b = 1; b < maps.size(); ++b)
      for (std::size_t a = 0; a < b; ++a)
        if (maps[a].result == maps[b].result && !may_share(channel, a, b)) {
          report(diagnostics_, ErrorCode::E0906, maps[b].span,
                 "`" + maps[b].result + "` is set by two `map` statements that can both apply",
                 "conditions that exclude each other");
          break;
        }
    std::set<std::string> reported;
    for (const MapRoute& map : maps) {
      const bool sent = map.result == channel.definition.ack_policy.reply ||
                        std::ranges::any_of(channel.definition.destinations, [&](const auto& destination) {
                          return destination.from == map.result;
                        });
      if (!sent && reported.insert(map.result).second)
        report(diagnostics_, ErrorCode::W0916, map.span, "`" + map.result + "` is never delivered", {},
               base::Severity::warning);
    }
  }

  bool may_share(const PendingChannel& channel, std::size_t a, std::size_t b) const {
    const MapRoute& first = channel.definition.maps[a];
    const MapRoute& second = channel.definition.maps[b];
    if (first.kind != second.kind) return false;
    bool overlap = first.takes.empty();
    for (std::size_t i = 0; i < first.takes.size(); ++i)
      overlap = overlap || (first.takes[i] && second.takes[i]);
    if (!overlap) return true;
    const auto& conditions = channel.routes;
    if (!conditions[a].clause->condition || !conditions[b].clause->condition) return false;
    return exclude_each_other(*conditions[a].clause->condition, *conditions[b].clause->condition,
                              library_.sources());
  }

  void check_taken(const ChannelDefinition& channel) {
    const bool passes =
        std::ranges::any_of(channel.destinations, [](const auto& to) { return to.from == "source"; });
    if (passes) return;
    for (std::size_t i = 0; i < channel.accept.size(); ++i) {
      const bool taken = std::ranges::any_of(channel.maps, [&](const MapRoute& map) { return map.takes[i]; });
      if (!taken)
        report(diagnostics_, ErrorCode::E0908, channel.accept[i].span,
               channel.accept[i].name + " is accepted, but no map or destination takes it");
    }
  }

  void check_destination(const DestinationDefinition& destination) {
    check_tls(destination.options);
    if (destination.connections > 1 && !destination.ordered)
      report(diagnostics_, ErrorCode::E0912, span_of(destination.options, "connections", destination.span),
             "`connections " + std::to_string(destination.connections) +
                 "` without `order by` can reorder messages",
             "add `order by`, or `connections 1`");
  }

  void check_tls(const Options& options) {
    const OptionValue* tls = options.find("tls");
    if (tls == nullptr || tls->block.empty()) return;
    const Options& block = tls->block.front();
    check_client_certificates(*tls);
    const bool listener = find_field(block.fields(), "client") != nullptr;
    if (listener && !block.has("cert") && !block.has("key"))
      report(diagnostics_, ErrorCode::E0910, tls->span, "`tls` of a listener has no certificate", "cert file(\"…\"); key file(\"…\")");
    if (block.has("cert") != block.has("key"))
      report(
          diagnostics_, ErrorCode::E0910, tls->span,
          block.has("cert") ? "`tls` has a certificate without key" : "`tls` has a key without certificate");
  }

  /// The channels that get what this one sends: by the store (origin any), or over a loopback connection.
  std::vector<std::pair<std::size_t, std::string>> successors(const ChannelDefinition& from) const {
    std::vector<std::pair<std::size_t, std::string>> out;
    for (const DestinationDefinition& to : from.destinations) {
      if (to.connector == nullptr) continue;
      const std::string_view kind = to.connector->name;
      for (std::size_t i = 0; i < site_.channels.size(); ++i) {
        const ChannelDefinition& next = site_.channels[i].definition;
        if (next.disabled || next.source == nullptr) continue;
        const std::string_view source = next.source->name;
        // What is handed on comes back for certain when both conditions hold: no `where` makes that harmless.
        if (kind == "channel" && source == "channel" && to.options.text("name") == next.name)
          out.emplace_back(i, " → ");
        if (site_.channels[i].where) continue;
        if (kind == "fhir" && source == "fhir" && !to.options.has("url") &&
            next.source_options.text("origin") == "any")
          out.emplace_back(i, " → store → ");
        if (kind == "mllp" && source == "mllp" && is_this_machine(to.options.text("host")) &&
            to.options.number("port") == next.source_options.number("port"))
          out.emplace_back(i, " → ");
      }
    }
    return out;
  }

  /// Hosts that `egress` does not list. What an env() names is known at the start.
  void check_connections() {
    if (!site_.server.has("egress")) return;
    if (const auto* patterns = site_.server.block("egress").all("allow"))
      for (const OptionValue& pattern : *patterns)
        if (pattern.resolved && pattern.text.rfind(':') == std::string::npos)
          report(diagnostics_, ErrorCode::E0917, pattern.span, "`allow`: a host and a port are expected", "\"pas.example.org:2600\"");
    if (const auto* notify = site_.server.all("notify"))
      for (const OptionValue& one : *notify) check_remotes(one.block.front());
    if (const auto* queries = site_.server.all("query"))
      for (const OptionValue& one : *queries)
        if (!one.block.empty()) check_remotes(one.block.front());
    if (site_.server.has("trace")) check_remotes(site_.server.block("trace"));
    for (const PendingChannel& channel : site_.channels) {
      if (channel.definition.disabled) continue;
      check_remotes(channel.definition.source_options);
      for (const auto& destination : channel.definition.destinations) check_remotes(destination.options);
    }
  }

  void check_remotes(const Options& options) {
    for (const Remote& remote : remotes_of(options))
      if (!allows(site_.server, remote))
        report(diagnostics_, ErrorCode::E0920, remote.span, "`egress` does not allow " + remote.host + ":" + remote.port,
               "egress { allow \"" + remote.host + ":" + remote.port + "\" } in kiln.conf");
  }

  /// `to NAME: channel { name "…" }` names a channel that takes what is handed on.
  void check_chains() {
    for (const PendingChannel& pending : site_.channels)
      for (const DestinationDefinition& to : pending.definition.destinations)
        if (to.connector != nullptr && std::string_view(to.connector->name) == "channel")
          check_chain(pending.definition, to);
  }

  void check_chain(const ChannelDefinition& from, const DestinationDefinition& to) {
    const OptionValue* name = to.options.find("name");
    if (name == nullptr) return;
    if (!name->resolved)
      return report(diagnostics_, ErrorCode::E0917, name->span, "`name`: the channel is written here, so that cycles are found");
    std::vector<std::string_view> names;
    for (const PendingChannel& other : site_.channels) {
      const ChannelDefinition& next = other.definition;
      if (next.source == nullptr || std::string_view(next.source->name) != "channel") continue;
      names.emplace_back(next.name);
      if (next.name != name->text) continue;
      if (next.disabled && !from.disabled)
        report(diagnostics_, ErrorCode::E0902, name->span, "channel `" + next.name + "` is disabled");
      const std::string content = next.source_options.text("content");
      if (!to.from.empty() && content != name_of(to.kind))
        report(diagnostics_, ErrorCode::E0902, name->span,
               "`" + to.name + "` hands on " + name_of(to.kind) + "; channel `" + next.name + "` takes " + content,
               std::string("source channel { content ") + name_of(to.kind) + " }");
      return;
    }
    const bool there = std::ranges::any_of(site_.channels, [&](const auto& one) { return one.definition.name == name->text; });
    report(diagnostics_, there ? ErrorCode::E0902 : ErrorCode::E0901, name->span,
           there ? "channel `" + name->text + "` has another source" : "unknown channel `" + name->text + "`",
           there ? "`source channel { }`" : did_you_mean(name->text, names));
  }

  void check_cycles() {
    std::vector<int> state(site_.channels.size(), 0);  // 0 new, 1 on the path, 2 done
    std::vector<std::pair<std::size_t, std::string>> path;
    for (std::size_t i = 0; i < site_.channels.size(); ++i)
      if (state[i] == 0 && !site_.channels[i].definition.disabled) visit(i, state, path);
  }

  void visit(std::size_t at, std::vector<int>& state,
             std::vector<std::pair<std::size_t, std::string>>& path) {
    state[at] = 1;
    for (const auto& [next, link] : successors(site_.channels[at].definition)) {
      path.emplace_back(at, link);
      if (state[next] == 1) report_cycle(next, path);
      if (state[next] == 0) visit(next, state, path);
      path.pop_back();
    }
    state[at] = 2;
  }

  void report_cycle(std::size_t start, const std::vector<std::pair<std::size_t, std::string>>& path) {
    std::string text;
    bool inside = false;
    for (const auto& [channel, link] : path) {
      inside = inside || channel == start;
      if (inside) text += site_.channels[channel].definition.name + link;
    }
    const ChannelDefinition& first = site_.channels[start].definition;
    report(diagnostics_, ErrorCode::E0907, first.span, text + first.name + " is a cycle",
           "`origin client`, or break it with `accept … where`; what a channel hands on may not come back");
  }

  const mappings::Library& library_;
  const PendingSite& site_;
  Diagnostics& diagnostics_;
};

}  // namespace

bool exclude_each_other(const ast::Expr& a, const ast::Expr& b, const base::SourceMap& sources) {
  std::map<std::string, Constraint> first, second;
  collect(a, sources, false, first);
  collect(b, sources, false, second);
  for (const auto& [path, constraint] : first) {
    const auto other = second.find(path);
    if (other != second.end() && disjoint(constraint, other->second)) return true;
  }
  return false;
}

void check_site(const mappings::Library& library, const PendingSite& site, Diagnostics& diagnostics) {
  Checker(library, site, diagnostics).check();
}

}  // namespace kiln::channels::detail
