#include "engine/table_watch.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "mappings/package.h"

namespace kiln::engine {

namespace ast = mappings::ast;

TableWatch::TableWatch(std::shared_ptr<const channels::Site> site, base::Env& env)
    : site_(std::move(site)), env_(env) {
  for (const auto& declaration : site_->library->declarations()) {
    const auto* table = declaration->decl->get_if<ast::TableDecl>();
    if (table == nullptr || !table->reload || !table->location) continue;
    const std::int64_t interval = std::max<std::int64_t>(table->reload->milliseconds, 1000);
    interval_ms_ = interval_ms_ == 0 ? interval : std::min(interval_ms_, interval);
    const bool by_url =
        table->source == ast::TableDecl::Source::conceptmap && !table->location->text.ends_with(".json");
    if (!by_url) files_[table->location->text];
    for (const auto& [name, text] : site_->files)
      if (by_url && name.starts_with("tables/") && name.ends_with(".json")) files_[name];
  }
  for (auto& [name, seen] : files_) {
    if (const auto info = env_.info(base::join_path(site_->folder, name))) seen = {info->size, info->modified};
  }
}

TableWatch::Change TableWatch::look() {
  Change change;
  auto files = site_->files;
  bool changed = false;
  for (auto& [name, seen] : files_) {
    const std::string path = base::join_path(site_->folder, name);
    const auto info = env_.info(path);
    if (!info) continue;  // being replaced, or gone: the rows that were read stay
    if (info->size == seen.size && info->modified == seen.modified) continue;
    auto text = env_.read_file(path, base::limits::kTableBytesMax);
    if (!text) continue;
    seen = {info->size, info->modified};
    const auto file = std::find_if(files.begin(), files.end(), [&](const auto& one) { return one.first == name; });
    if (file == files.end() || file->second == *text) continue;
    file->second = std::move(*text);
    changed = true;
  }
  if (!changed) return change;
  channels::SiteLoad loaded = channels::load_site_texts(std::move(files));
  if (!loaded.site) {
    const auto& findings = loaded.diagnostics.list();
    const auto error = std::find_if(findings.begin(), findings.end(), [](const auto& finding) {
      return finding.severity == base::Severity::error;
    });
    change.problem = error == findings.end() ? "the site has errors with the changed tables"
                                             : std::string(base::error_info(error->code).code) + ": " +
                                                   base::error_info(error->code).text;
    return change;
  }
  loaded.site->folder = site_->folder;
  loaded.site->data_folder = site_->data_folder;
  const base::Status resolved = channels::resolve_site(*loaded.site, env_, channels::process_references());
  if (!resolved) {
    change.problem = resolved.error().message();
    return change;
  }
  site_ = std::shared_ptr<const channels::Site>(std::move(loaded.site));
  change.site = site_;
  return change;
}

}  // namespace kiln::engine
