-- Attach a card, or take it away. A card attached resolves the incident, lifts the block and looks
-- at the threshold again (R8, R6).
-- ARGV[5] customer   ARGV[6] payment method, '' = none   ARGV[7] brand   ARGV[8] last four
-- ARGV[9] expiry   ARGV[10] take away this payment method alone, '' = whatever there is
-- ARGV[11] who did it, '' = the system
-- Replies {'unknown_account'} or {'set' | 'another', id of the top-off in flight or ''}
--   'another': the account's card is not, or no more, the one to take away; nothing was changed
-- Writes the profile, the incident, an entry for a card that is another, or gone.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
if ARGV[6] ~= '' then
  attach_card(account, ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], NOW, ARGV[11])
  return { 'set', account.topoff }
end
if ARGV[10] ~= '' and ARGV[10] ~= redis.call('HGET', PROFILE, 'payment_method') then
  return { 'another', account.topoff }
end
detach_card(account, ARGV[11])
redis.call('HSET', PROFILE, 'card_at_ms', NOW)
return { 'set', account.topoff }
