#include "engine/subscriptions/definition.h"

#include <algorithm>
#include <charconv>

#include "channels/egress.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"

namespace kiln::engine {

using base::ErrorCode;
using base::JsonView;
using base::Result;
using channels::ChangeAction;
using channels::ChangeFilter;
using channels::HttpUrl;
using fhir::Answer;
using fhir::Failure;
namespace limits = base::limits;

namespace {

constexpr std::string_view kBackport =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-";

Failure refuse(ErrorCode code, std::string text, std::string place, std::string remedy = {}) {
  return Failure(base::Error{code, std::move(text), "Subscription." + std::move(place), std::move(remedy)});
}

JsonView extension(JsonView element, std::string_view name) {
  const std::string url = std::string(kBackport) + std::string(name);
  for (const JsonView one : element["extension"])
    if (one["url"].text() == url) return one;
  return {};
}

/// Seconds of an unsignedInt as milliseconds; 0 when it is none.
std::int64_t milliseconds_of(JsonView seconds) {
  std::int64_t value = 0;
  const std::string_view text = seconds.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && value > 0 && value < 1'000'000 ? value * 1000 : 0;
}

/// A path that stays where it says: no dot steps, also not encoded, nothing behind it.
bool is_plain(std::string_view path) {
  if (path.find_first_of("?#\\@ \t\r\n") != std::string_view::npos) return false;
  const std::string decoded = base::percent_decode(path, false);
  for (const std::string_view step : base::split(decoded, '/'))
    if (step == "." || step == "..") return false;
  return decoded.find('\\') == std::string::npos;
}

bool allows(const HttpUrl& allowed, const HttpUrl& endpoint) {
  if (allowed.https != endpoint.https || allowed.port != endpoint.port ||
      base::lower_ascii(allowed.host) != base::lower_ascii(endpoint.host))
    return false;
  if (!endpoint.path.starts_with(allowed.path)) return false;
  return endpoint.path.size() == allowed.path.size() || endpoint.path[allowed.path.size()] == '/';
}

/// A header line "Name: value". Those that frame the request are Kiln's own.
Answer<std::pair<std::string, std::string>> read_header(std::string_view line) {
  static constexpr std::string_view kOwn[] = {"host",       "content-length", "transfer-encoding",
                                              "connection", "upgrade",        "te",
                                              "trailer",    "expect",         "keep-alive"};
  const std::size_t colon = line.find(':');
  const std::string name(line.substr(0, colon));
  const bool token =
      !name.empty() && colon != std::string_view::npos &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
          std::string::npos;
  const bool clean = std::none_of(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  const bool own = std::find(std::begin(kOwn), std::end(kOwn), base::lower_ascii(name)) != std::end(kOwn);
  if (!token || !clean || own || line.size() > limits::kSubscriptionTextBytesMax)
    return tl::unexpected(refuse(ErrorCode::fhir_rule,
                                 own ? "this header is set by the server" : "not a header line",
                                 "channel.header"));
  return std::pair(name, std::string(base::trim(line.substr(colon + 1))));
}

Answer<void> read_channel(JsonView channel, const SubscriptionRules& rules, SubscriptionDefinition& out) {
  if (channel["type"].text() != "rest-hook")
    return tl::unexpected(refuse(ErrorCode::fhir_rule, "only rest-hook is supported", "channel.type"));
  TRY(out.endpoint, allowed_endpoint(channel["endpoint"].text(), rules, "Subscription.channel.endpoint"));
  out.tls = rules.tls;
  if (channel["header"].size() > limits::kSubscriptionHeadersMax)
    return tl::unexpected(refuse(ErrorCode::fhir_rule, "too many headers", "channel.header"));
  for (const JsonView line : channel["header"]) {
    TRY(auto header, read_header(line.text()));
    out.headers.push_back(std::move(header));
  }
  std::string_view payload = channel["payload"].text();
  payload = base::trim(payload.substr(0, payload.find(';')));
  out.has_payload = !payload.empty();
  out.xml = payload == "application/fhir+xml" || payload == "application/xml";
  if (out.has_payload && !out.xml && payload != "application/fhir+json" && payload != "application/json")
    return tl::unexpected(refuse(
        ErrorCode::fhir_rule, "payload is application/fhir+json or application/fhir+xml", "channel.payload"));
  return {};
}

/// The names of the parameters of a search text, without modifiers and chains.
std::vector<std::string> parameters_of(std::string_view query) {
  std::vector<std::string> out;
  for (const auto& [name, value] : base::parse_query(query))
    out.push_back(name.substr(0, name.find_first_of(":.")));
  return out;
}

Answer<void> read_filters(JsonView resource, const SubscriptionTopic& topic, const SubscriptionRules& rules,
                          SubscriptionDefinition& out) {
  const std::string url = std::string(kBackport) + "filter-criteria";
  for (const JsonView one : resource["_criteria"]["extension"]) {
    if (one["url"].text() != url) continue;
    const std::string text(one["valueString"].text());
    if (text.empty() || text.size() > limits::kSubscriptionTextBytesMax ||
        text.find('?') == std::string::npos)
      return tl::unexpected(
          refuse(ErrorCode::fhir_rule, "a filter is written Type?parameter=value", "criteria"));
    for (const std::string& name : parameters_of(std::string_view(text).substr(text.find('?') + 1)))
      if (!topic.filters.empty() &&
          std::find(topic.filters.begin(), topic.filters.end(), name) == topic.filters.end())
        return tl::unexpected(
            refuse(ErrorCode::fhir_rule, "the topic cannot be filtered by `" + name + "`", "criteria"));
    auto filter = ChangeFilter::parse({text}, rules.base_url);
    if (!filter)
      return tl::unexpected(refuse(ErrorCode::fhir_search_invalid, filter.error().text, "criteria"));
    out.filters.push_back(std::move(*filter));
  }
  return {};
}

Answer<void> read_topic(JsonView resource, const SubscriptionRules& rules, SubscriptionDefinition& out) {
  const auto topic = std::find_if(rules.topics.begin(), rules.topics.end(),
                                  [&](const SubscriptionTopic& one) { return one.url == out.topic; });
  if (topic == rules.topics.end())
    return tl::unexpected(
        refuse(ErrorCode::fhir_rule, "this server has no such topic", "criteria",
               "topics are declared in kiln.conf: server { fhir { subscriptions { topic … } } }"));
  auto criteria = ChangeFilter::parse(topic->criteria, rules.base_url);
  if (!criteria) return tl::unexpected(Failure(criteria.error()));
  out.criteria = std::move(*criteria);
  std::copy(std::begin(topic->on), std::end(topic->on), std::begin(out.on));
  TRY_VOID(read_filters(resource, *topic, rules, out));
  const JsonView channel = resource["channel"];
  const std::string_view content = extension(channel["_payload"], "payload-content")["valueCode"].text();
  if (content == "id-only") out.content = NotificationContent::id_only;
  if (content == "full-resource") out.content = NotificationContent::full_resource;
  if (!content.empty() && content != "empty" && out.content == NotificationContent::empty)
    return tl::unexpected(
        refuse(ErrorCode::fhir_rule, "content is empty, id-only or full-resource", "channel.payload"));
  if (const JsonView period = extension(channel, "heartbeat-period"))
    out.heartbeat_ms = std::max<std::int64_t>(limits::kSubscriptionHeartbeatMsMin,
                                              milliseconds_of(period["valueUnsignedInt"]));
  if (const JsonView timeout = extension(channel, "timeout"))
    out.timeout_ms =
        std::clamp<std::int64_t>(milliseconds_of(timeout["valueUnsignedInt"]),
                                 std::min<std::int64_t>(1000, rules.timeout_ms), rules.timeout_ms);
  return {};
}

}  // namespace

Answer<HttpUrl> allowed_endpoint(std::string_view text, const SubscriptionRules& rules,
                                 const std::string& place) {
  const auto no = [&place](ErrorCode code, std::string why, std::string remedy = {}) {
    return tl::unexpected(Failure(base::Error{code, std::move(why), place, std::move(remedy)}));
  };
  if (text.empty()) return no(ErrorCode::fhir_rule, "an endpoint is needed");
  if (text.size() > limits::kSubscriptionTextBytesMax)
    return no(ErrorCode::fhir_rule, "the endpoint is too long");
  const auto url = HttpUrl::parse(text);
  if (!url) return no(ErrorCode::fhir_rule, "not a URL: " + url.error().text);
  const bool listed = is_plain(url->path) && text.find('@') == std::string_view::npos &&
                      std::any_of(rules.allow.begin(), rules.allow.end(), [&](const std::string& one) {
                        const auto allowed = HttpUrl::parse(one);
                        return allowed && allows(*allowed, *url);
                      });
  if (!listed)
    return no(ErrorCode::fhir_endpoint_refused, "the endpoint is not allowed by this site",
              "list it in kiln.conf: server { fhir { subscriptions { allow \"URL\" } } }");
  if (rules.may_connect && !rules.may_connect(*url)) {
    const std::string remote = url->host + ":" + std::to_string(url->port);
    return no(ErrorCode::egress_denied, "`egress` of this site does not list " + remote, "kiln.conf: egress { allow \"" + remote + "\" }");
  }
  return *url;
}

bool SubscriptionDefinition::wants(const channels::Change& change) const {
  if (!on[static_cast<int>(change.action)] || change.type == "Subscription" || !criteria.matches(change))
    return false;
  return std::all_of(filters.begin(), filters.end(), [&](const ChangeFilter& filter) {
    return !filter.names_type(change.type) || filter.matches(change);
  });
}

Answer<SubscriptionDefinition> read_subscription(JsonView resource, const SubscriptionRules& rules) {
  SubscriptionDefinition out;
  out.id = resource["id"].text();
  out.status = resource["status"].text();
  out.timeout_ms = rules.timeout_ms;
  const std::string criteria(resource["criteria"].text());
  if (criteria.empty() || criteria.size() > limits::kSubscriptionTextBytesMax)
    return tl::unexpected(refuse(ErrorCode::fhir_rule, "criteria are missing or too long", "criteria"));
  TRY_VOID(read_channel(resource["channel"], rules, out));
  if (const std::string_view end = resource["end"].text(); !end.empty()) {
    const auto time = base::PartialDate::parse_fhir(end);
    if (time) out.end = base::WallTime{time->highest_micros()};
  }
  const bool is_search = criteria.find('?') != std::string::npos || criteria.find(':') == std::string::npos;
  if (!is_search) {  // a canonical: no type name has a colon
    out.topic = criteria;
    TRY_VOID(read_topic(resource, rules, out));
    return out;
  }
  auto filter = ChangeFilter::parse({criteria}, rules.base_url);
  if (!filter) return tl::unexpected(refuse(ErrorCode::fhir_search_invalid, filter.error().text, "criteria"));
  out.criteria = std::move(*filter);
  out.on[static_cast<int>(ChangeAction::create)] = out.on[static_cast<int>(ChangeAction::update)] = true;
  return out;
}

Answer<void> SubscriptionWriteRule::check(std::string_view type, JsonView resource) const {
  if (type != "Subscription" || resource["status"].text() == "off") return {};
  TRY_VOID(read_subscription(resource, rules_));
  return {};
}

Result<SubscriptionRules> read_subscription_rules(const channels::Options& server, std::string base_url) {
  SubscriptionRules out;
  out.base_url = std::move(base_url);
  const channels::Options& options = server.block("fhir").block("subscriptions");
  if (server.has("egress")) {
    std::vector<std::string> patterns;
    if (const auto* allow = server.block("egress").all("allow"))
      for (const auto& one : *allow) patterns.push_back(one.text);
    out.may_connect = [patterns = std::move(patterns)](const HttpUrl& endpoint) {
      const channels::Remote remote{endpoint.host, std::to_string(endpoint.port), {}};
      return std::any_of(patterns.begin(), patterns.end(),
                         [&](const std::string& one) { return channels::matches_remote(one, remote); });
    };
  }
  out.timeout_ms = options.has("timeout") ? options.number("timeout") : limits::kSubscriptionTimeoutMs;
  out.retry = options.retry;
  const std::string refused = options.has("refused") ? options.text("refused") : "retry";
  out.refused = refused == "quarantine" ? channels::NakAction::quarantine
                : refused == "block"    ? channels::NakAction::block
                                        : channels::NakAction::retry;
  if (const auto* allow = options.all("allow"))
    for (const auto& one : *allow) {
      const auto url = HttpUrl::parse(one.text);
      if (!url || !is_plain(url->path))
        return base::fail(ErrorCode::channel_option, "subscriptions allow \"" + one.text + "\" is no URL",
                          "kiln.conf", "http://host:port/path, without wildcards");
      out.allow.push_back(one.text);
    }
  if (const auto* topics = options.all("topic"))
    for (const auto& one : *topics) {
      if (one.block.empty()) continue;
      const channels::Options& block = one.block.front();
      SubscriptionTopic topic;
      topic.name = one.text;
      topic.url = block.text("url");
      if (const auto* criteria = block.all("criteria"))
        for (const auto& text : *criteria) topic.criteria.push_back(text.text);
      if (const auto* filters = block.all("filter"))
        for (const auto& text : *filters) topic.filters.push_back(text.text);
      const auto* on = block.find("on");
      for (const std::string& word : on != nullptr ? on->words : std::vector<std::string>())
        topic.on[word == "create" ? 0 : word == "update" ? 1 : 2] = true;
      TRY_VOID(ChangeFilter::parse(topic.criteria, out.base_url));
      out.topics.push_back(std::move(topic));
    }
  return out;
}

}  // namespace kiln::engine
