"""What happens: the steps of Get and Lock, the phone's part, and the effects behind them."""
