#include "channels/definition.h"

#include <algorithm>
#include <set>

#include "channels/detail/exposure.h"
#include "channels/detail/site_builder.h"
#include "channels/detail/text_env.h"
#include "channels/detail/validation.h"
#include "channels/egress.h"
#include "channels/postgres_fields.h"
#include "engine/base/text.h"
#include "mappings/tables.h"

namespace kiln::channels {

using base::ErrorCode;

namespace {

/// Everything that was compiled out of the site's folder, with the files of its tables and hmap.lock: enough
/// to load it again.
std::vector<std::pair<std::string, std::string>> files_of(const mappings::Library& library, base::Env& env) {
  std::vector<std::pair<std::string, std::string>> out;
  std::set<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!names.insert(name).second) return;
    auto text = env.read_file(base::join_path(library.root(), name), base::limits::kTableBytesMax);
    if (text) out.emplace_back(name, std::move(*text));
  };
  bool concept_maps = false;
  for (const auto& file : library.files()) {
    if (file->shipped) continue;
    out.emplace_back(file->name, library.sources().file(file->tree.source).text);
    for (const mappings::ast::Decl& decl : file->tree.decls) {
      using Source = mappings::ast::TableDecl::Source;
      const auto* table = decl.get_if<mappings::ast::TableDecl>();
      if (table == nullptr || !table->location || table->source == Source::hl7table) continue;
      const bool by_url = table->source == Source::conceptmap && !table->location->text.ends_with(".json");
      if (by_url)
        concept_maps = true;
      else
        add(table->location->text);
    }
  }
  const auto folder = [&](const char* name) {
    const auto entries = env.list(base::join_path(library.root(), name));
    for (const base::FileInfo& entry : entries ? *entries : std::vector<base::FileInfo>())
      if (!entry.is_directory && entry.name.ends_with(".json")) add(base::join_path(name, entry.name));
  };
  if (concept_maps) folder("tables");
  for (const auto& profile : library.profiles()) add(library.sources().file(profile->tree.source).name);
  if (!library.lock_text().empty()) out.emplace_back(mappings::kLockFileName, library.lock_text());
  return out;
}

std::string hash_of(const mappings::Library& library,
                    const std::vector<std::pair<std::string, std::string>>& files) {
  std::string all;
  const auto add = [&all](std::string_view name, std::string_view text) {
    all += name;
    all += '\0';
    all += base::sha256(text);
  };
  for (const auto& [name, text] : files) add(name, text);
  for (const auto& file : library.files())
    if (file->shipped) add(file->name, library.sources().file(file->tree.source).text);
  return base::sha256_hex(all);
}

}  // namespace

base::Result<SiteLoad> load_site(base::Env& env, const std::string& folder) {
  SiteLoad out;
  auto library = std::make_shared<mappings::Library>();
  TRY_VOID(library->add_site(env, folder, out.diagnostics));
  out.library = library;
  library->link(out.diagnostics);
  auto tables = mappings::load_tables(*library, env, out.diagnostics);
  library->set_tables(tables);  // for the check of columns, and for tests of maps
  detail::PendingSite pending = detail::read_site(*library, out.diagnostics);
  auto compiled = std::make_shared<mappings::CompiledLibrary>(
      mappings::compile(*library, out.diagnostics, pending.requests, {pending.map_requests, {}, false, {}}));
  detail::connect_site(*library, *compiled, pending, out.diagnostics);
  detail::check_site(*library, pending, out.diagnostics);
  detail::check_available(pending, out.unavailable);
  std::vector<std::pair<std::string, std::string>> profiles;
  detail::load_validators(pending, library->root(), env, out.diagnostics, profiles);
  if (!out.diagnostics.ok()) return out;

  auto site = std::make_shared<Site>();
  site->folder = folder;
  site->server = std::move(pending.server);
  site->data_folder = base::join_path(folder, site->server.text("data"));
  for (detail::PendingChannel& channel : pending.channels)
    site->channels.push_back(std::move(channel.definition));
  site->library = library;
  site->compiled = compiled;
  site->expressions = compiled->expressions_program();
  site->tables = std::move(tables);
  site->files = files_of(*library, env);
  for (auto& profile : profiles) {
    const bool known = std::any_of(site->files.begin(), site->files.end(),
                                   [&](const auto& file) { return file.first == profile.first; });
    if (!known) site->files.push_back(std::move(profile));
  }
  site->hash = hash_of(*library, site->files);
  out.site = std::move(site);
  return out;
}

SiteLoad load_site_texts(std::vector<std::pair<std::string, std::string>> files) {
  const auto env = detail::make_text_env(std::move(files));
  auto loaded = load_site(*env, ".");
  if (loaded) return std::move(*loaded);
  SiteLoad out;
  out.library = std::make_shared<mappings::Library>();
  base::Diagnostic failure;
  failure.code = loaded.error().code;
  failure.message = loaded.error().message();
  out.diagnostics.add(std::move(failure));
  return out;
}

namespace {

/// What the check of the files could not see, because the value was a reference.
base::Status check_connector(const ConnectorSpec* spec, const Options& options) {
  if (spec == nullptr || spec->check == nullptr) return {};
  for (const OptionProblem& problem : spec->check(options))
    return base::fail(problem.code, problem.message, problem.option, problem.help);
  return {};
}

base::Status refuse(const detail::Exposure& exposure) {
  return base::fail(exposure.code, exposure.message, {}, exposure.help);
}

}  // namespace

base::Status resolve_site(Site& site, base::Env& env, const ReferenceSource& of_process) {
  ReferenceSource references = of_process;
  if (references.folder.empty()) references.folder = site.folder;
  const auto place = [](base::Status status, const std::string& where) -> base::Status {
    if (status) return status;
    base::Error error = status.error();
    error.place = error.place.empty() ? where : where + ", " + error.place;
    return base::fail(std::move(error));
  };
  TRY_VOID(place(resolve(site.server, env, references), "server"));
  for (const detail::Exposure& exposure : detail::find_exposures(site.server)) return place(refuse(exposure), "server");
  site.data_folder = base::join_path(site.folder, site.server.text("data"));
  if (site.server.block("journal").text("durability") == "relaxed")
    return base::fail(ErrorCode::E0915, "`durability relaxed` is not in this version", "server, journal",
                      "`durability full`");
  if (const auto* notify = site.server.all("notify"))
    for (const OptionValue& one : *notify)
      TRY_VOID(place(check_egress(site.server, one.block.front()), "server, notify " + one.text));
  if (const auto* queries = site.server.all("query"))
    for (const OptionValue& one : *queries) {
      const std::string where = "server, query " + one.text;
      if (one.block.empty()) continue;
      for (const OptionProblem& problem : check_sql(one.block.front()))
        return base::fail(problem.code, problem.message, where, problem.help);
      TRY_VOID(place(check_egress(site.server, one.block.front()), where));
    }
  if (site.server.has("trace"))
    TRY_VOID(place(check_egress(site.server, site.server.block("trace")), "server, trace"));
  for (ChannelDefinition& channel : site.channels) {
    if (channel.disabled) continue;
    const auto check_hours = [](const Options& options, const std::string& where) -> base::Status {
      if (!options.has("hours")) return {};
      const auto parsed = base::Calendar::parse(options.text("hours"));
      return parsed ? base::Status() : base::fail(ErrorCode::channel_option, "option hours: " + parsed.error().text, where, parsed.error().remedy);
    };
    const std::string source = "channel " + channel.name + ", source";
    TRY_VOID(place(resolve(channel.source_options, env, references), source));
    TRY_VOID(check_hours(channel.source_options, source));
    TRY_VOID(place(check_connector(channel.source, channel.source_options), source));
    if (const auto exposure = detail::find_exposure(channel)) return place(refuse(*exposure), source);
    TRY_VOID(place(check_egress(site.server, channel.source_options), source));
    for (DestinationDefinition& destination : channel.destinations) {
      const std::string where = "channel " + channel.name + ", destination " + destination.name;
      TRY_VOID(place(resolve(destination.options, env, references), where));
      TRY_VOID(check_hours(destination.options, where));
      TRY_VOID(place(check_connector(destination.connector, destination.options), where));
      TRY_VOID(place(check_egress(site.server, destination.options), where));
      destination.connections = static_cast<std::uint32_t>(destination.options.number("connections"));
      if (destination.connections > 1 && !destination.ordered)
        return base::fail(ErrorCode::E0912, "several connections without `order by` can reorder messages", where,
                          "add `order by`, or connections 1");
    }
  }
  return {};
}

base::Result<std::string> render(const DestinationDefinition::Template& name, const Options& options,
                                 const std::vector<std::string>& values) {
  if (name.parts.empty()) return options.text(name.option);
  std::string out = name.literals.front();
  for (std::size_t i = 0; i < name.parts.size(); ++i) {
    const std::string& value = i < values.size() ? values[i] : std::string();
    for (const char c : value)
      if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        return base::fail(ErrorCode::cannot_deliver,
                          "option " + name.option + ": a part of the name leads out of its folder");
    out += value + name.literals[i + 1];
  }
  return out;
}

std::optional<base::OpenHours> hours_of(const Site& site, const ChannelDefinition& channel, const Options& options) {
  if (!options.has("hours")) return std::nullopt;
  const Options& source = channel.source_options;
  std::string zone;
  if (find_field(source.fields(), "timezone") != nullptr && source.has("timezone")) zone = source.text("timezone");
  if (zone.empty() && site.server.has("timezone")) zone = site.server.text("timezone");
  auto hours = base::OpenHours::parse(options.text("hours"), zone);
  if (!hours) return std::nullopt;  // resolve_site() has refused it
  return std::move(*hours);
}

std::string serves(const ChannelDefinition& channel) {
  if (channel.source == nullptr || find_field(channel.source->options, "serve") == nullptr) return {};
  const std::string serve = channel.source_options.text("serve");
  return serve == "changes" ? std::string() : serve;
}

}  // namespace kiln::channels
