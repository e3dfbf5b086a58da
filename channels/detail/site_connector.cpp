// Step two of loading a site: maps and compiled expressions into the definitions.

#include <algorithm>

#include "channels/detail/site_builder.h"
#include "fhir/definitions/definitions.h"

namespace kiln::channels::detail {

namespace ast = mappings::ast;
using base::Diagnostics;
using base::ErrorCode;

namespace {

ContentKind content_of(mappings::DataKind kind) {
  return kind == mappings::DataKind::hl7    ? ContentKind::hl7
         : kind == mappings::DataKind::fhir ? ContentKind::fhir
                                            : ContentKind::csv;
}

std::string print_type(const mappings::DataType& type) {
  return std::string(name_of(content_of(type.kind))) + " " + type.name;
}

/// Whether a map's source takes what an accept entry lets in.
bool takes(const mappings::MapInfo& map, const AcceptType& accept) {
  if (content_of(map.source.kind) != accept.kind) return false;
  // A resource alone is a Bundle of one for a map that takes Bundles.
  if (accept.kind == ContentKind::fhir && map.source.name == "Bundle") return true;
  if (accept.kind != ContentKind::hl7) return map.source.name == accept.name;
  if (map.source_structure != accept.structure) return false;
  return map.source_event.empty() || accept.event.empty() || map.source_event == accept.event;
}

class Connector {
 public:
  Connector(const mappings::Library& library, const mappings::CompiledLibrary& compiled,
            Diagnostics& diagnostics)
      : library_(library), compiled_(compiled), diagnostics_(diagnostics) {}

  void connect(PendingChannel& channel) {
    if (channel.where) channel.definition.accept_where = expression(*channel.where);
    for (PendingRoute& route : channel.routes) connect_route(channel, route);
    for (std::size_t i = 0; i < channel.destinations.size(); ++i)
      connect_destination(channel, channel.destinations[i], channel.definition.destinations[i]);
    for (const ast::RouteClause* clause : channel.replies) connect_reply(channel, *clause);
    check_serving(channel);
    check_ack(channel);
  }

 private:
  SiteExpression expression(const PendingExpression& pending) const {
    SiteExpression out;
    out.span = pending.expr->span;
    for (std::size_t i = 0; i < pending.count; ++i) {
      const std::size_t request = pending.first_request + i;
      const auto index =
          request < compiled_.expressions.size() ? compiled_.expressions[request] : std::nullopt;
      out.per_accept.push_back(index.value_or(0));  // nothing: its error was reported, the site is not used
    }
    return out;
  }

  /// The maps a route's name stands for: one, or those of a package.
  std::vector<const mappings::MapInfo*> find_maps(const PendingChannel& channel, const ast::QName& name,
                                                  std::string& qualified) const {
    const auto found = library_.resolve(*channel.file, name, mappings::DeclKind::map);
    if (!found.ambiguous.empty()) {
      library_.report_ambiguous(found, name.text(), name.span, diagnostics_);
      return {};
    }
    if (found.found != nullptr && found.parts == name.parts.size()) {
      qualified = found.found->qualified();
      if (const auto* map = compiled_.find_map(qualified)) return {map};
      return {};
    }
    qualified = name.text();
    return compiled_.find_package(qualified);
  }

  void report_unknown(const PendingChannel& channel, const ast::QName& name) {
    const auto names = library_.names_in_scope(*channel.file, mappings::DeclKind::map);
    report(diagnostics_, ErrorCode::E0901, name.span, "unknown map `" + name.text() + "`",
           did_you_mean(name.text(), names));
  }

  /// The map or package; with arguments the map that was compiled for them.
  mappings::Program program(const PendingRoute& pending, const mappings::MapInfo& map,
                            const std::string& qualified) {
    const ast::RouteClause& clause = *pending.clause;
    if (!pending.arguments) {
      if (!map.needs.empty())
        report(diagnostics_, ErrorCode::E0905, clause.map.span,
               "map `" + clause.map.text() + "` needs the argument `" + map.needs.front() + "`",
               "`" + clause.map.text() + "(" + map.needs.front() + " = …)`");
      return compiled_.program(qualified);
    }
    const auto made = compiled_.specialised[*pending.arguments];
    return made ? compiled_.program_of(*made) : mappings::Program();
  }

  void connect_route(PendingChannel& channel, const PendingRoute& pending) {
    const ast::RouteClause& clause = *pending.clause;
    MapRoute route;
    route.result = clause.result.text;
    route.span = clause.result.span;
    if (pending.condition) route.condition = expression(*pending.condition);
    const std::size_t errors = diagnostics_.errors();
    std::string qualified;
    const auto maps = find_maps(channel, clause.map, qualified);
    route.takes.assign(channel.definition.accept.size(), false);
    if (maps.empty()) {
      // A map that is declared but has errors of its own is not unknown.
      const bool declared =
          library_.resolve(*channel.file, clause.map, mappings::DeclKind::map).found != nullptr;
      if (diagnostics_.errors() == errors && !declared) report_unknown(channel, clause.map);
      route.takes.assign(channel.definition.accept.size(), true);  // no further complaints about this one
    } else {
      if (diagnostics_.ok()) route.program = program(pending, *maps.front(), qualified);
      route.kind = content_of(maps.front()->target.kind);
      if (maps.size() == 1) route.result_type = maps.front()->target.name;
      for (std::size_t i = 0; i < route.takes.size(); ++i)
        for (const auto* map : maps)
          if (takes(*map, channel.definition.accept[i])) route.takes[i] = true;
      const bool none = std::ranges::find(route.takes, true) == route.takes.end();
      if (none && !route.takes.empty())
        report(diagnostics_, ErrorCode::E0902, clause.map.span,
               "`" + clause.map.text() + "` takes " + print_type(maps.front()->source) +
                   "; the channel accepts " + name_of(channel.definition.accept.front().kind) + " " +
                   channel.definition.accept.front().name);
      if (channel.definition.ack_on == AckOn::stored)
        for (const auto* map : maps)
          if (map->can_reject) {
            report(diagnostics_, ErrorCode::W0913, clause.map.span,
                   "`" + clause.map.text() + "` can reject, but the ack is sent at `stored`",
                   "`ack … on mapped`", base::Severity::warning);
            break;
          }
    }
    channel.definition.maps.push_back(std::move(route));
  }

  /// `map found = rsp_to_bundle of mpi`.
  void connect_reply(PendingChannel& channel, const ast::RouteClause& clause) {
    ReplyRoute route;
    route.result = clause.result.text;
    route.span = clause.result.span;
    route.destination = clause.of->text;
    const auto& destinations = channel.definition.destinations;
    const auto destination = std::ranges::find_if(
        destinations, [&](const DestinationDefinition& one) { return one.name == route.destination; });
    if (destination == destinations.end()) {
      report(diagnostics_, ErrorCode::E0901, clause.of->span,
             "this channel has no destination `" + route.destination + "`");
      return;
    }
    const bool answers = channel.definition.ack_policy.reply == route.result;
    if (serves(channel.definition).empty() && !answers)
      report(diagnostics_, ErrorCode::E0902, clause.result.span,
             "nobody waits for the reply of `" + route.destination + "`",
             "`ack … on delivered { reply " + route.result + " }`, or `source fhir { serve search|create|message }`");
    std::string qualified;
    const std::size_t errors = diagnostics_.errors();
    const auto maps = find_maps(channel, clause.map, qualified);
    if (maps.empty()) {
      const bool declared =
          library_.resolve(*channel.file, clause.map, mappings::DeclKind::map).found != nullptr;
      if (diagnostics_.errors() == errors && !declared) report_unknown(channel, clause.map);
      return;
    }
    const mappings::MapInfo& map = *maps.front();
    if (content_of(map.source.kind) != destination->kind && destination->kind != ContentKind::csv)
      report(diagnostics_, ErrorCode::E0902, clause.map.span,
             "`" + clause.map.text() + "` takes " + print_type(map.source) + "; `" + route.destination +
                 "` answers with " + name_of(destination->kind));
    route.kind = content_of(map.target.kind);
    const bool waits = answers || !serves(channel.definition).empty();
    if (waits && route.kind != (answers ? ContentKind::hl7 : ContentKind::fhir))
      report(diagnostics_, ErrorCode::E0902, clause.map.span,
             "`" + clause.map.text() + "` gives " + print_type(map.target) + "; the answer is " +
                 (answers ? "hl7" : "fhir"));
    if (diagnostics_.ok()) route.program = compiled_.program(qualified);
    channel.definition.replies.push_back(std::move(route));
  }

  /// What a channel that answers requests needs.
  void check_serving(const PendingChannel& channel) {
    const ChannelDefinition& definition = channel.definition;
    const std::string serve = serves(definition);
    if (serve.empty()) return;
    const bool typed = serve == "search" || serve == "create";
    if (typed && fhir::find_resource_type(definition.source_options.text("type")) == nullptr)
      report(diagnostics_, ErrorCode::E0905, definition.span, "`serve " + serve + "` needs the type it answers for",
             "type \"Patient\"");
    if (serve == "search" && channel.replies.empty())
      report(diagnostics_, ErrorCode::E0905, definition.span,
             "`serve search` needs a map of the reply, which makes the Bundle", "map found = … of DESTINATION");
    if (definition.ack_on != AckOn::mapped)
      report(diagnostics_, ErrorCode::E0902, definition.span, "a channel that answers requests has no `ack`");
  }

  /// What an answer that waits for deliveries, or is made by a map, needs.
  void check_ack(const PendingChannel& channel) {
    const ChannelDefinition& definition = channel.definition;
    const AckPolicy& policy = definition.ack_policy;
    if (channel.decl->acks.empty()) return;
    const base::Span span = channel.decl->acks.front().span;
    const bool delivered = definition.ack_on == AckOn::delivered;
    if ((delivered || !policy.reply.empty()) &&
        (source_kind(definition) != ContentKind::hl7 || definition.ack == AckMode::none))
      report(diagnostics_, ErrorCode::E0902, span,
             definition.ack == AckMode::none ? "`ack none` answers nobody"
                                             : "only senders of hl7 wait for an answer of that kind");
    for (const DestinationDefinition& one : definition.destinations)
      if (delivered && one.acks)
        report(diagnostics_, ErrorCode::E0902, one.span,
               "`from ack` is queued when the message is mapped, and `ack … on delivered` knows later",
               "`application_ack same_connection` in the source");
    for (const std::string& name : policy.of) {
      const auto found = std::ranges::find_if(definition.destinations,
                                              [&](const auto& one) { return one.name == name && !one.acks; });
      if (found == definition.destinations.end())
        report(diagnostics_, ErrorCode::E0901, span, "`of`: this channel has no destination `" + name + "`");
    }
    if (!policy.reply.empty()) check_reply(definition, span);
  }

  void check_reply(const ChannelDefinition& definition, base::Span span) {
    const std::string& name = definition.ack_policy.reply;
    if (const MapRoute* route = find_route(definition, name)) {
      if (route->kind != ContentKind::hl7)
        report(diagnostics_, ErrorCode::E0902, span,
               "`reply`: `" + name + "` is " + name_of(route->kind) + "; the answer is hl7");
      if (definition.ack_on == AckOn::stored)
        report(diagnostics_, ErrorCode::E0902, span, "`reply` is known when the maps have run",
               "`ack … on mapped { reply " + name + " }`");
      return;
    }
    const auto reply = std::ranges::find_if(definition.replies, [&](const auto& one) { return one.result == name; });
    if (reply == definition.replies.end())
      return report(diagnostics_, ErrorCode::E0901, span, "`reply`: no `map` of this channel sets `" + name + "`");
    const auto& of = definition.ack_policy.of;
    if (definition.ack_on != AckOn::delivered || (!of.empty() && std::ranges::find(of, reply->destination) == of.end()))
      report(diagnostics_, ErrorCode::E0902, span, "what `" + reply->destination + "` answers is known when it has the message",
             "`ack … on delivered { reply " + name + " }`");
  }

  void connect_destination(PendingChannel& channel, const PendingDestination& pending,
                           DestinationDefinition& definition) {
    const ast::DestinationClause& clause = *pending.clause;
    definition.ordered = pending.ordered;
    for (const PendingExpression& key : pending.order) definition.order.push_back(expression(key));
    if (pending.condition) definition.condition = expression(*pending.condition);
    for (std::size_t i = 0; i < pending.templates.size(); ++i) {
      DestinationDefinition::Template name;
      name.option = pending.templates[i].option;
      name.literals = pending.templates[i].literals;
      for (const PendingExpression& part : pending.parts[i]) name.parts.push_back(expression(part));
      definition.templates.push_back(std::move(name));
    }
    connect_from(channel, clause, definition);
    if (definition.connector == nullptr || definition.from.empty() ||
        definition.connector->content.has(definition.kind))
      return;
    const MapRoute* route = find_route(channel.definition, definition.from);
    const std::string takes = definition.connector->content.hl7    ? "hl7"
                              : definition.connector->content.fhir ? "fhir"
                                                                   : "rows";
    const std::string what = route == nullptr
                                 ? std::string(name_of(definition.kind))
                                 : std::string(name_of(definition.kind)) + " " + route->result_type;
    report(diagnostics_, ErrorCode::E0902, clause.from ? clause.from->span : clause.name.span,
           "`" + definition.name + "` (" + definition.connector->name + ") takes " + takes + "; `" +
               definition.from + "` is " + what,
           definition.kind == ContentKind::hl7 ? "a map to " + takes : "`from source`, or a map to " + takes);
  }

  static const MapRoute* find_route(const ChannelDefinition& channel, const std::string& result) {
    for (const MapRoute& route : channel.maps)
      if (route.result == result) return &route;
    return nullptr;
  }

  /// `from`, or what is meant without it: the only result, or the source when there is no map.
  void connect_from(PendingChannel& channel, const ast::DestinationClause& clause,
                    DestinationDefinition& definition) {
    std::vector<std::string_view> results;
    for (const MapRoute& route : channel.definition.maps)
      if (route.result != channel.definition.ack_policy.reply &&
          std::ranges::find(results, route.result) == results.end())
        results.push_back(route.result);
    std::string from = clause.from       ? clause.from->text
                       : results.empty() ? "source"
                                         : std::string(results.front());
    if (!clause.from && results.size() > 1) {
      report(diagnostics_, ErrorCode::E0905, clause.name.span,
             "`" + definition.name + "` needs `from`: the channel has several results",
             "from " + std::string(results.front()));
      return;
    }
    if (from == "source") {
      definition.kind = source_kind(channel.definition);
    } else if (const MapRoute* route = find_route(channel.definition, from)) {
      definition.kind = route->kind;
    } else if (from == "ack") {
      connect_ack(channel.definition, clause, definition);
    } else {
      results.emplace_back("source");
      results.emplace_back("ack");
      report(diagnostics_, ErrorCode::E0901, clause.from->span,
             "no `map` of this channel sets `" + from + "`", did_you_mean(from, results));
      return;
    }
    definition.from = std::move(from);
  }

  /// `from ack`: application acknowledgements, which only senders of HL7 v2 in enhanced mode ask for.
  void connect_ack(const ChannelDefinition& channel, const ast::DestinationClause& clause,
                   DestinationDefinition& definition) {
    definition.kind = ContentKind::hl7;
    definition.acks = true;
    const bool none = channel.ack == AckMode::original || channel.ack == AckMode::none;
    if (none || source_kind(channel) != ContentKind::hl7)
      report(diagnostics_, ErrorCode::E0902, clause.from->span,
             none ? "`from ack` needs enhanced mode; the channel's `ack` rules it out"
                  : "`from ack` needs a source of hl7",
             "`ack auto` or `ack enhanced`");
  }

  static ContentKind source_kind(const ChannelDefinition& channel) {
    if (!channel.accept.empty()) return channel.accept.front().kind;
    if (channel.source == nullptr) return ContentKind::hl7;
    const std::string content = find_field(channel.source->options, "content") != nullptr
                                    ? channel.source_options.text("content")
                                    : std::string();
    if (content == "fhir") return ContentKind::fhir;
    if (content == "csv") return ContentKind::csv;
    const ContentSet& gives = channel.source->content;
    return gives.hl7 ? ContentKind::hl7 : gives.fhir ? ContentKind::fhir : ContentKind::csv;
  }

  const mappings::Library& library_;
  const mappings::CompiledLibrary& compiled_;
  Diagnostics& diagnostics_;
};

}  // namespace

void connect_site(const mappings::Library& library, const mappings::CompiledLibrary& compiled,
                  PendingSite& site, Diagnostics& diagnostics) {
  Connector connector(library, compiled, diagnostics);
  for (PendingChannel& channel : site.channels) connector.connect(channel);
}

}  // namespace kiln::channels::detail
