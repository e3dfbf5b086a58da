#include "engine/site_version.h"

#include <utility>
#include <vector>

#include "engine/base/json.h"

namespace kiln::engine {

using base::Result;

const channels::ChannelDefinition* find_channel(const channels::Site& site, std::string_view name) {
  for (const channels::ChannelDefinition& channel : site.channels)
    if (channel.name == name) return &channel;
  return nullptr;
}

std::string print_site_version(const channels::Site& site) {
  base::JsonWriter text;
  text.begin_array();
  for (const auto& [name, content] : site.files) text.begin_array().string(name).string(content).end_array();
  text.end_array();
  return text.take();
}

Result<std::shared_ptr<const channels::Site>> load_site_version(const std::string& text, const std::string& hash,
                                                                const channels::Site& like, base::Env& env) {
  TRY(const base::JsonDocument document, base::parse_json(text));
  std::vector<std::pair<std::string, std::string>> files;
  for (const base::JsonView file : document.root()) files.emplace_back(file.at(0).text(), file.at(1).text());
  channels::SiteLoad loaded = channels::load_site_texts(std::move(files));
  if (!loaded.site || loaded.site->hash != hash)
    return base::fail(base::ErrorCode::channel_option, "the site version of the message cannot be loaded any more", hash);
  loaded.site->folder = like.folder;
  loaded.site->data_folder = like.data_folder;
  TRY_VOID(channels::resolve_site(*loaded.site, env, channels::process_references()));
  return std::shared_ptr<const channels::Site>(std::move(loaded.site));
}

}  // namespace kiln::engine
