-- Begin, or take up again, the charge of a requested top-off. The price and the card are fixed the
-- first time, so that every later run asks Stripe for the same.
-- KEYS[9] top-off
-- ARGV[5] top-off id   ARGV[6] default price of a credit, minor units   ARGV[7] currency
-- Replies {status, every field of the top-off as name and value}
--   'unknown_topoff'; or {'cycle_over', …}
--   'charge'             charge it with the card fixed in it
--   'no_payment_method'  still requested; the caller fails it
--   'card_refused'       still requested; the issuer said never to try this card again
--   'canceled'           auto top-off was switched off, the account suspended, or the spending cap
--                        reached, before a PaymentIntent was stored
--   'finished'           nothing is to be done; the work is struck off
-- Writes the top-off's state and price; when canceled also the account and an entry. Where the cap
-- does that, it owes the cap's e-mail, or a top-off of what was set meanwhile if that fits.

local account = read_account()
local state = redis.call('HGET', KEYS[9], 'state')
local task = 'charge:' .. ARGV[5]
if not account or not state then
  strike(task)
  return { 'unknown_topoff' }
end
if account.cycle_over then return cycle_over() end -- what counts against the cap is this period's

local function reply(status)
  return { status, redis.call('HGETALL', KEYS[9]) }
end

-- Only a stored PaymentIntent is ever confirmed. So one that is stored may have been paid already
-- and is pursued to its end, whatever was switched off; without one nothing was charged (but see
-- docs/operations.md on a restored backup), and record_intent stores none once it has ended.
if state == 'charging' and redis.call('HEXISTS', KEYS[9], 'payment_intent') == 1 then
  return reply('charge')
end
if not may_move(state, 'canceled') then
  strike(task)
  return reply('finished')
end

local f = redis.call('HMGET', KEYS[9], 'credits', 'amount_minor')
local price = tonumber(redis.call('HGET', ACCOUNT, 'price_minor') or ARGV[6])
local amount_minor = state == 'charging' and tonumber(f[2]) or price * tonumber(f[1])
local cause = not account.topoff_on and 'switched_off' or account.suspended and 'suspended'
  or passes_cap(amount_minor) and 'spending_cap'
if cause then
  redis.call('HSET', KEYS[9], 'state', 'canceled', 'finished_at_ms', NOW)
  redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
  redis.call('HDEL', ACCOUNT, 'topoff', 'topoff_state')
  account.topoff, account.topoff_state = '', ''
  strike(task)
  append(account, 'topoff_canceled', 0, 0, ARGV[5], cause)
  if cause == 'spending_cap' then
    look_at_cap(account, ARGV[6], ARGV[7])
    look(account)
  end
  return reply('canceled')
end
if state == 'charging' then return reply('charge') end

redis.call('HSET', KEYS[9], 'amount_minor', amount_minor, 'currency', ARGV[7])
local card = redis.call('HMGET', PROFILE, 'customer', 'payment_method', 'card_refused',
  'card_last4')
if not card[2] then return reply('no_payment_method') end
redis.call('HSET', KEYS[9], 'customer', card[1], 'payment_method', card[2],
  'card_last4', card[4] or '')
if card[3] then
  redis.call('HSET', KEYS[9], 'decline_code', card[3])
  return reply('card_refused')
end
redis.call('HSET', KEYS[9], 'state', 'charging', 'charging_at_ms', NOW)
redis.call('HSET', ACCOUNT, 'topoff_state', 'charging')
return reply('charge')
