"""HTTP in: questions, answers, and OpenAI's chat completions."""
