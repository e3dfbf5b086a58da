#include "engine/detail/map_files.h"

#include <algorithm>
#include <set>

#include "engine/base/env.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/detail/input_bytes.h"
#include "engine/lookups.h"
#include "hl7/batch.h"
#include "hl7/message.h"

namespace kiln::engine::detail {

using base::ErrorCode;
using base::Result;

namespace {

/// Queries of the site's kiln.conf; none when it has errors, which are reported with the maps.
std::map<std::string, LookupQuery> read_queries(base::Env& env, const std::string& site) {
  auto text = env.read_file(base::join_path(site, "kiln.conf"), base::limits::kHmapFileBytesMax);
  if (!text) return {};
  const channels::SiteLoad load = channels::load_site_texts({{"kiln.conf", std::move(*text)}});
  return load.site ? lookup_queries(load.site->server, site) : std::map<std::string, LookupQuery>();
}

const base::Clock& lookup_clock() {
  static const base::SystemClock clock;
  return clock;
}

/// Adds the maps that `map`, a package or a map, takes the messages of `input` to. False when it cannot be
/// told.
bool add_chosen(const mappings::Program& program, const InputFile& input, std::set<std::string>& chosen) {
  if (input.kind != channels::ContentKind::hl7) return false;
  mappings::Runner runner;
  for (const std::string& text : input.messages) {
    const auto message = hl7::Message::parse(text);
    if (!message) continue;  // reported where it is converted
    for (std::string& name : runner.maps_for(program, &*message)) chosen.insert(std::move(name));
  }
  return true;
}

/// Compiles what `inputs` need: signatures first, since a package chooses among all of its maps.
mappings::CompiledLibrary compile_for(const mappings::Library& library, const std::string& map,
                                      std::span<const InputFile> inputs, base::Diagnostics& diagnostics) {
  std::set<std::string> chosen;
  mappings::CompileOptions options;
  options.shipped_maps = [&chosen](const mappings::MapInfo& info) { return chosen.contains(info.name); };
  base::Diagnostics again;  // reported by the second compile
  const mappings::Program program = mappings::compile(library, again, {}, options).program(map);
  const bool known = program && std::ranges::all_of(inputs, [&](const InputFile& input) {
                       return add_chosen(program, input, chosen);
                     });
  return mappings::compile(library, diagnostics, {},
                           known && !inputs.empty() ? options : mappings::CompileOptions());
}

}  // namespace

Result<MapSet> load_maps(const std::vector<std::string>& load, const std::string& map,
                         std::span<const InputFile> inputs) {
  MapSet set;
  set.library = std::make_shared<mappings::Library>();
  base::Env& env = base::system_env();
  std::map<std::string, LookupQuery> queries;
  for (const std::string& path : load) {
    TRY(const auto info, env.info(path));
    if (info.is_directory) {
      TRY_VOID(set.library->add_site(env, path, set.diagnostics));
      queries = read_queries(env, path);
    } else {
      TRY_VOID(set.library->add_file(env, path, set.diagnostics));
    }
  }
  set.lookups = std::make_shared<SiteLookups>(std::move(queries), set.library->root(), env, lookup_clock());
  set.library->require_shipped(map);
  set.library->link(set.diagnostics);
  set.tables = mappings::load_tables(*set.library, env, set.diagnostics);
  set.library->set_tables(set.tables);
  set.compiled = inputs.empty() ? mappings::compile(*set.library, set.diagnostics)
                                : compile_for(*set.library, map, inputs, set.diagnostics);
  return set;
}

Result<InputFile> read_input(const std::string& path) {
  TRY(std::string bytes, read_bytes(path));
  InputFile file;
  std::string_view start = bytes;
  if (start.starts_with("\xEF\xBB\xBF")) start.remove_prefix(3);
  while (!start.empty() && (static_cast<unsigned char>(start.front()) <= ' ')) start.remove_prefix(1);
  if (start.starts_with('{')) {
    file.kind = channels::ContentKind::fhir;
    file.messages.push_back(std::move(bytes));
    return file;
  }
  if (!start.starts_with("MSH") && !start.starts_with("FHS") && !start.starts_with("BHS")) {
    // Neither JSON nor HL7: a csv file, unless there is a message further down (leading noise).
    if (hl7::split_batch(bytes).messages.empty()) {
      file.kind = channels::ContentKind::csv;
      file.messages.push_back(std::move(bytes));
      return file;
    }
  }
  for (const hl7::Slice& slice : hl7::split_batch(bytes).messages)
    file.messages.emplace_back(slice.of(bytes));
  if (file.messages.empty()) return base::fail(ErrorCode::bad_value, "the file holds no message", path);
  return file;
}

Result<mappings::CsvFormat> csv_format_of(const mappings::Library& library, const std::string& declaration) {
  for (const auto& found : library.declarations()) {
    if (found->kind != mappings::DeclKind::csv) continue;
    if (found->qualified() != declaration && found->name != declaration) continue;
    base::Diagnostics ignored;  // reported by load_maps
    return mappings::csv_format(std::get<mappings::ast::CsvDecl>(found->decl->node), ignored);
  }
  return base::fail(ErrorCode::bad_value, "there is no csv declaration " + declaration);
}

}  // namespace kiln::engine::detail
