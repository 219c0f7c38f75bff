-- Attach a card, or take it away. A card attached resolves the incident, lifts the block and looks
-- at the threshold again (R8, R6).
-- ARGV[5] customer   ARGV[6] payment method, '' = none   ARGV[7] brand   ARGV[8] last four
-- ARGV[9] expiry
-- Replies {'unknown_account'} or {'set', id of the top-off in flight or ''}

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
redis.call('HDEL', PROFILE, 'card_refused')
if ARGV[6] == '' then
  redis.call('HDEL', PROFILE, 'payment_method', 'card_brand', 'card_last4', 'card_expiry')
  return { 'set', account.topoff }
end
redis.call('HSET', PROFILE, 'customer', ARGV[5], 'payment_method', ARGV[6], 'card_brand', ARGV[7],
  'card_last4', ARGV[8], 'card_expiry', ARGV[9])
unblock(account, 'card_attached')
look(account)
return { 'set', account.topoff }
