using System.Collections;

namespace OpenPlatform.Hosting.Publishing.Azure.Bicep;

internal abstract record BicepStatement;

/// <param name="Type">Such as <c>string</c> or <c>string[]</c>.</param>
/// <param name="Default">Null: it must be given.</param>
/// <param name="Bounds">Decorators with numbers: <c>("minValue", 7)</c>.</param>
internal sealed record BicepParameter(string Name, string Type, string Description, BicepValue? Default = null, bool Secure = false, params (string Decorator, int Value)[] Bounds) : BicepStatement;

internal sealed record BicepVariable(string Name, BicepValue Value) : BicepStatement;

/// <param name="Type">With its API version: <c>Microsoft.App/jobs@2025-01-01</c>.</param>
/// <param name="Existing">It is referred to, not made.</param>
/// <param name="If">It is made only where this holds.</param>
/// <param name="For">One for each item: <c>secret in secrets</c>, or <c>(secret, i) in secrets</c>.</param>
internal sealed record BicepResource(string Symbol, string Type, BicepMap Body, bool Existing = false, BicepExpression? If = null, string? For = null) : BicepStatement;

/// <param name="Path">From the folder of the file.</param>
internal sealed record BicepModule(string Symbol, string Path, BicepMap Body) : BicepStatement;

internal sealed record BicepOutput(string Name, string Type, BicepValue Value, string Description) : BicepStatement;

/// <summary>The statements of one file, in their order.</summary>
/// <param name="scope">Null: a resource group.</param>
internal sealed class BicepFile(string about, string? scope = null) : IEnumerable<BicepStatement>
{
    private readonly List<BicepStatement> _statements = [];

    /// <summary>The comment on top.</summary>
    public string About => about;
    public string? Scope => scope;

    public void Add(BicepStatement? statement)
    {
        if (statement is not null)
        {
            _statements.Add(statement);
        }
    }

    public void Add(IEnumerable<BicepStatement> statements) => _statements.AddRange(statements);

    public IEnumerator<BicepStatement> GetEnumerator() => _statements.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
