using Microsoft.Extensions.Configuration;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>Asks whoever publishes for a parameter that has no value.</summary>
internal interface IParameterQuestions
{
    /// <returns>The answer; null: there is nobody to ask, or no answer.</returns>
    Task<string?> AskAsync(string name, string? description, CancellationToken cancellationToken);
}

/// <summary>Asks on the terminal. Where input or output is no terminal, or a tool reads them, nobody is asked and nothing waits.</summary>
internal sealed class ConsoleQuestions(IConfiguration configuration) : IParameterQuestions
{
    public async Task<string?> AskAsync(string name, string? description, CancellationToken cancellationToken)
    {
        if (Console.IsInputRedirected || Console.IsOutputRedirected || configuration["CI"] is "true" or "1" || configuration["ASPIRE_BACKCHANNEL_PATH"] is { Length: > 0 })
        {
            return null;
        }

        Console.Write($"Value of parameter '{name}'{(string.IsNullOrEmpty(description) ? "" : $" ({description})")}: ");
        var answer = await Task.Run(Console.ReadLine, cancellationToken).WaitAsync(cancellationToken);
        return string.IsNullOrWhiteSpace(answer) ? null : answer.Trim();
    }
}
