-- Write down work that is due now, because something outside said that there is news. A task that is
-- owed already is due again: a job that is under way may have looked before the news.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task   ARGV[2] now, ms   ARGV[3] wake channel
-- Replies the mark of this news, by which `strike_owed` tells it from any before.

return note_news(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
