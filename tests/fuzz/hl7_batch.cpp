// A batch read in pieces is the batch read at once, whatever the bytes; memory stays within what is allowed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/batch.h"
#include "hl7/batch_stream.h"

using namespace kiln::hl7;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = 1 + data[0] % 64, most = 16 + data[1] * std::size_t{8};
  const std::string file(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Batch batch = split_batch(file);
  std::size_t end = 0;
  for (const Slice& slice : batch.messages) {
    require(slice.begin >= end && slice.end >= slice.begin && slice.end <= file.size());
    end = slice.end;
  }
  BatchReader all(file.size() + 1), few(most);
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < file.size(); at += piece) {
    all.push(std::string_view(file).substr(at, piece));
    few.push(std::string_view(file).substr(at, piece));
    while (auto event = all.next())
      if (event->kind == BatchEvent::Kind::message) messages.push_back(std::move(event->text));
    while (const auto event = few.next())
      require(event->kind != BatchEvent::Kind::message || event->text.size() <= most);
    require(few.memory_bytes() <= 8 * (most + piece) + 1'024);
  }
  all.finish();
  few.finish();
  while (auto event = all.next())
    if (event->kind == BatchEvent::Kind::message) messages.push_back(std::move(event->text));
  require(messages.size() == batch.messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) require(messages[i] == batch.messages[i].of(file));
  return 0;
}
