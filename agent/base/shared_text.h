// SPDX-License-Identifier: Apache-2.0
// agent/base/shared_text.h – a text that does not change, whose copies are one object.
//
// A name of a function or a file stands in thousands of frames. Copying allocates nothing; a pool
// (TextPool) makes equal texts one. Threads: as std::shared_ptr.
#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace mapscope {

class SharedText {
 public:
  SharedText() = default;
  // NOLINTBEGIN(google-explicit-constructor): it stands where a string would.
  SharedText(std::string text)
      : text_(text.empty() ? nullptr : std::make_shared<const std::string>(std::move(text))) {}
  SharedText(std::string_view text) : SharedText(std::string(text)) {}
  SharedText(const char* text) : SharedText(std::string(text)) {}
  operator std::string_view() const { return view(); }
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] std::string_view view() const {
    return text_ == nullptr ? std::string_view() : std::string_view(*text_);
  }
  [[nodiscard]] bool empty() const { return text_ == nullptr; }
  [[nodiscard]] size_t size() const { return view().size(); }

  friend bool operator==(const SharedText& a, const SharedText& b) {
    return a.text_ == b.text_ || a.view() == b.view();
  }
  friend bool operator==(const SharedText& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const SharedText& a, const std::string& b) { return a.view() == b; }
  friend bool operator==(const SharedText& a, const char* b) { return a.view() == b; }
  friend std::ostream& operator<<(std::ostream& out, const SharedText& text) {
    return out << text.view();
  }

 private:
  friend class TextPool;
  std::shared_ptr<const std::string> text_;  // nullptr: ""
};

// Threads: one at a time.
class TextPool {
 public:
  // Makes it the object of an equal text that came before.
  void intern(SharedText& text) {
    if (text.empty()) return;
    const auto [known, is_new] = texts_.insert(text);
    if (is_new) bytes_ += bytes_of(text);
    text = *known;
    if (texts_.size() >= sweep_at_) sweep();
  }
  // Of the texts that are kept, about.
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] size_t size() const { return texts_.size(); }
  // Lets go of those that nobody else has.
  void sweep() {
    std::erase_if(texts_, [this](const SharedText& text) {
      if (text.text_.use_count() > 1) return false;
      bytes_ -= bytes_of(text);
      return true;
    });
    sweep_at_ = 2 * texts_.size() + kSweepAtLeast;
  }

 private:
  static constexpr size_t kSweepAtLeast = 1024;
  struct Hash {
    size_t operator()(const SharedText& text) const {
      return std::hash<std::string_view>{}(text.view());
    }
  };
  // With the entry of the set.
  static size_t bytes_of(const SharedText& text) { return 96 + text.size(); }

  std::unordered_set<SharedText, Hash> texts_;
  size_t bytes_ = 0;
  size_t sweep_at_ = kSweepAtLeast;
};

}  // namespace mapscope
