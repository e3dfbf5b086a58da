// The site as a picture: sources, maps, destinations.

#include "engine/admin/route.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::Result;

/// Where somebody would look for it: "PORT", "host:port", a folder. Never a secret.
std::string summary_of(const channels::Options& options) {
  std::string out;
  for (const char* name : {"url", "host", "port", "folder", "path", "file", "table"}) {
    const channels::FieldSpec* field = channels::find_field(options.fields(), name);
    if (field == nullptr || !options.has(name) || field->type == channels::FieldType::secret ||
        field->type == channels::FieldType::block)
      continue;
    const std::string value = field->type == channels::FieldType::integer
                                  ? std::to_string(options.number(name))
                                  : options.text(name);
    if (value.empty()) continue;
    out += (out.empty() ? "" : std::string_view(name) == "port" ? ":" : " ") + value;
  }
  return out;
}

std::string print_accept(const channels::AcceptType& type) {
  return type.name + (type.version.empty() ? "" : " " + type.version);
}

void write_place(base::JsonWriter& json, const channels::Site& site, const std::string& file,
                 base::Span span) {
  json.member("file", file);
  const base::SourceMap& sources = site.library->sources();
  if (span.file < sources.size()) json.key("line").integer(sources.position(span.file, span.begin).line);
}

void write_map(base::JsonWriter& json, const channels::Site& site, const channels::MapRoute& route) {
  json.begin_object().member("name", route.program.name()).member("result", route.result);
  json.member("kind", channels::name_of(route.kind)).member("type", route.result_type);
  const mappings::MapInfo* info = site.compiled->find_map(route.program.name());
  if (info != nullptr && info->span.file < site.library->sources().size())
    write_place(json, site, site.library->sources().file(info->span.file).name, info->span);
  json.end_object();
}

void write_channel(base::JsonWriter& json, const channels::Site& site,
                   const channels::ChannelDefinition& channel) {
  json.begin_object().member("name", channel.name).key("disabled").boolean(channel.disabled);
  write_place(json, site, channel.file, channel.span);
  json.key("source")
      .begin_object()
      .member("kind", channel.source->name)
      .member("summary", summary_of(channel.source_options));
  json.end_object().key("accept").begin_array();
  for (const channels::AcceptType& type : channel.accept) json.string(print_accept(type));
  json.end_array().key("maps").begin_array();
  for (const channels::MapRoute& route : channel.maps) write_map(json, site, route);
  json.end_array().key("destinations").begin_array();
  for (const channels::DestinationDefinition& destination : channel.destinations) {
    json.begin_object().member("name", destination.name).member("kind", destination.connector->name);
    json.member("from", destination.from).member("summary", summary_of(destination.options)).end_object();
  }
  json.end_array().end_object();
}

Result<Reply> show(const Call& call) {
  const channels::Site& site = call.gateway->site();
  base::JsonWriter json;
  json.begin_object().member("folder", site.folder).member("hash", site.hash).key("channels").begin_array();
  for (const channels::ChannelDefinition& channel : site.channels) write_channel(json, site, channel);
  return json_reply(json.end_array().end_object().take());
}

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/site",
     .right = AdminRight::view,
     .summary = "sources, maps and destinations of the site that runs",
     .answer = "{folder: string, hash: string, channels: [{name: string, disabled: boolean, file: string, "
               "line?: integer, source: "
               "{kind: string, summary: string}, accept: [string], maps: [{name: string, result: string, "
               "kind: string, type: "
               "string, file?: string, line?: integer}], destinations: [{name: string, kind: string, from: "
               "string, summary: "
               "string}]}]}",
     .run = show},
};

}  // namespace

const RouteGroup& site_routes() {
  static const RouteGroup group{"site", "the site that runs", kRoutes};
  return group;
}

}  // namespace kiln::engine
