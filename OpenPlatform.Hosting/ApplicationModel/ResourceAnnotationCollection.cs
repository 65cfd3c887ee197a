using System.Collections;
using System.Collections.Immutable;
using System.Collections.ObjectModel;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>
/// What is known about a resource. While the application runs, the orchestrator adds to it and the dashboard, the health checks and
/// the console read it at the same moment: whoever enumerates sees the annotations as they were when he began.
/// </summary>
public sealed class ResourceAnnotationCollection : Collection<IResourceAnnotation>
{
    public ResourceAnnotationCollection() : base(new CopyOnWriteList()) { }

    private sealed class CopyOnWriteList : IList<IResourceAnnotation>
    {
        private ImmutableArray<IResourceAnnotation> _items = [];

        // Collection<T> computes the index before it inserts; another thread may have shortened the list in between.
        public void Insert(int index, IResourceAnnotation item) => Change(items => items.Insert(Math.Min(index, items.Length), item));
        public void Add(IResourceAnnotation item) => Change(items => items.Add(item));
        public void RemoveAt(int index) => Change(items => items.RemoveAt(index));
        public void Clear() => Change(_ => []);

        public bool Remove(IResourceAnnotation item)
        {
            var had = Contains(item);
            Change(items => items.Remove(item));
            return had;
        }

        public IResourceAnnotation this[int index]
        {
            get => _items[index];
            set => Change(items => items.SetItem(index, value));
        }

        public int Count => _items.Length;
        public bool IsReadOnly => false;
        public int IndexOf(IResourceAnnotation item) => _items.IndexOf(item);
        public bool Contains(IResourceAnnotation item) => _items.Contains(item);
        public void CopyTo(IResourceAnnotation[] array, int arrayIndex) => _items.CopyTo(array, arrayIndex);
        public IEnumerator<IResourceAnnotation> GetEnumerator() => ((IEnumerable<IResourceAnnotation>)_items).GetEnumerator();
        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        private void Change(Func<ImmutableArray<IResourceAnnotation>, ImmutableArray<IResourceAnnotation>> change) => ImmutableInterlocked.Update(ref _items, change);
    }
}
